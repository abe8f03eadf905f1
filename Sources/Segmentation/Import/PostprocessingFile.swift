import Foundation

/// nnU-Net's `postprocessing.json`: which labels keep their largest component alone.
struct PostprocessingFile {
  let rules: [LargestComponents]

  private struct Contents: Decodable {
    /// Labels, or lists of labels taken together.
    var classes: [Entry]
    /// A Python mapping as text, or "None".
    var sizes: String?

    enum CodingKeys: String, CodingKey {
      case classes = "for_which_classes"
      case sizes = "min_valid_object_sizes"
    }
  }

  private struct Entry: Decodable {
    var labels: [Int]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let label = try? container.decode(Int.self) {
        labels = [label]
      } else {
        labels = try container.decode([Int].self)
      }
    }
  }

  /// - Parameters:
  ///   - path: of the `postprocessing.json`.
  ///   - classes: of the network, background included.
  init(path: String, classes: Int) throws(ModelImportError) {
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(
        Contents.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw .postprocessing(
        path: path, reason: "is not nnU-Net's postprocessing.json with for_which_classes")
    }
    guard let sizes = Self.sizes(contents.sizes ?? "None") else {
      throw .postprocessing(path: path, reason: "min_valid_object_sizes is not a mapping of sizes")
    }
    var rules: [LargestComponents] = []
    for entry in contents.classes {
      guard !entry.labels.isEmpty, entry.labels.allSatisfy({ (1..<classes).contains($0) }) else {
        throw .postprocessing(path: path, reason: "the network has no labels \(entry.labels)")
      }
      rules.append(
        LargestComponents(
          labels: entry.labels.map { UInt8($0) }, removeBelow: sizes[entry.labels]))
    }
    self.rules = rules
  }

  /// Reads `{1: 12.5, (1, 2): 30.0}`; nil for anything else.
  static func sizes(_ text: String) -> [[Int]: Double]? {
    let text = text.filter { !$0.isWhitespace }
    if text == "None" || text == "{}" { return [:] }
    guard text.hasPrefix("{"), text.hasSuffix("}"), text.utf8.count < 1 << 16 else { return nil }
    var sizes: [[Int]: Double] = [:]
    var rest = text.dropFirst().dropLast()
    while !rest.isEmpty {
      guard let colon = rest.firstIndex(of: ":") else { return nil }
      let end = rest[colon...].firstIndex(of: ",") ?? rest.endIndex
      let key = rest[..<colon].trimmingPrefix("(")
      let labels = (key.hasSuffix(")") ? key.dropLast() : key).split(separator: ",").map { Int($0) }
      guard let size = Double(rest[colon...].dropFirst().prefix(upTo: end)), size.isFinite,
        !labels.isEmpty, !labels.contains(nil)
      else { return nil }
      sizes[labels.compactMap { $0 }] = size
      rest = rest[end...].dropFirst()
    }
    return sizes
  }
}
