import Cryptography
import FileSystem
import Foundation
import Terminology
import Yams

/// What a model's bundle says of itself, read anew from its `model.yaml` for a proof.
///
/// It shares no code with what loads bundles and describes results by them: only the reading of files and the
/// library that parses YAML.
struct ModelRecord {
  let name: String
  let version: String
  /// Of the weights and of the document, which gives them a sum (see `ModelBundle.sha256`).
  let sha256: String
  /// By value.
  let labels: [SegmentDescription]
  /// In the order of the document; their values count them.
  let groupings: [SegmentDescription]
  /// Whether results hold the groupings in place of the labels.
  let holdsGroupings: Bool

  /// - Parameter path: of `model.yaml`.
  /// - Throws: ``ProofError/modelUnreadable(path:reason:)`` where it cannot be read now, and
  ///   ``ProofError/modelChanged(path:reason:)`` where it is no description of a model any more.
  init(_ path: String) throws(ProofError) {
    let text: String
    do { text = try TextFile.read(path) } catch {
      throw .modelUnreadable(path: path, reason: error.description)
    }
    func changed(_ reason: String) -> ProofError { .modelChanged(path: path, reason: reason) }
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw changed("it is no YAML now") }
    guard let root, let name = root["name"]?.scalar?.string,
      let version = root["version"]?.scalar?.string,
      let weights = root["weights"]?["sha256"]?.scalar?.string.lowercased()
    else { throw changed("it lacks name, version or the sum of the weights") }
    let parts = { (key: String) in
      (root[key]?.sequence ?? []).enumerated().map { Self.segment($1, number: $0 + 1) }
    }
    let (labels, groupings) = (parts("labels"), parts("groupings"))
    guard !labels.isEmpty, !(labels + groupings).contains(where: { $0 == nil }) else {
      throw changed("a label or grouping has no description")
    }
    (self.name, self.version) = (name, version)
    let document = hexadecimal(SHA256.hash(data: Data(text.utf8)))
    sha256 = hexadecimal(SHA256.hash(data: Data((weights + "\n" + document).utf8)))
    self.labels = labels.compactMap(\.self).sorted { $0.value < $1.value }
    self.groupings = groupings.compactMap(\.self)
    holdsGroupings = root["segments"]?.scalar?.string == "groupings"
  }

  /// - Parameter number: of a grouping.
  /// - Returns: nil where something is missing.
  private static func segment(_ node: Node, number: Int) -> SegmentDescription? {
    guard let name = node["name"]?.scalar?.string, let category = code(node["category"]),
      let type = code(node["type"]), let color = bytes(node["color"]), color.count == 3
    else { return nil }
    let (modifier, region) = (node["modifier"], node["region"])
    guard (modifier == nil) == (code(modifier) == nil), (region == nil) == (code(region) == nil)
    else { return nil }
    let value = node["value"].flatMap { $0.scalar.flatMap { UInt8($0.string) } }
    let labels = bytes(node["labels"])
    guard (value == nil) != (labels == nil) else { return nil }
    return SegmentDescription(
      value: value ?? UInt8(clamping: number), labels: labels.map(Set.init), name: name,
      category: category, type: type, modifier: code(modifier), anatomicRegion: code(region),
      color: color)
  }

  private static func code(_ node: Node?) -> CodedConcept? {
    guard let value = node?["value"]?.scalar?.string, let scheme = node?["scheme"]?.scalar?.string,
      let meaning = node?["meaning"]?.scalar?.string
    else { return nil }
    return CodedConcept(value: value, scheme: scheme, meaning: meaning)
  }

  private static func bytes(_ node: Node?) -> [UInt8]? {
    guard let items = node?.sequence else { return nil }
    let bytes = items.compactMap { $0.scalar.flatMap { UInt8($0.string) } }
    return bytes.count == items.count ? bytes : nil
  }
}
