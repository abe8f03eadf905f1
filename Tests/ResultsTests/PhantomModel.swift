import Cryptography
import FileSystem
import Foundation
import Terminology
import TestSupport
import Testing

@testable import Results

/// The `model.yaml` of a bundle that has some segments: what proofs read of the model.
struct PhantomModel {
  var segments: [SegmentDescription]

  init(_ segments: [SegmentDescription]) { self.segments = segments }

  private struct Document: Encodable {
    struct Part: Encodable {
      var value: UInt8?
      var labels: [UInt8]?
      var name: String
      var category: CodedConcept
      var type: CodedConcept
      var modifier: CodedConcept?
      var region: CodedConcept?
      var color: [UInt8]
    }
    var name: String
    var version: String
    var labels: [Part]
    var groupings: [Part]?
    var segments: String
    var weights = ["file": "weights.safetensors", "sha256": Self.weights]
    static let weights = String(repeating: "c", count: 64)
  }

  /// Segments that are no single labels are the model's groupings.
  private func document(_ origin: ResultOrigin) -> Document {
    let isGrouped = segments.contains { $0.labels != [$0.value] }
    let parts = segments.map { segment in
      Document.Part(
        value: isGrouped ? nil : segment.value, labels: isGrouped ? segment.labels.sorted() : nil,
        name: segment.name, category: segment.category, type: segment.type,
        modifier: segment.modifier, region: segment.anatomicRegion, color: segment.color)
    }
    let label = Document.Part(
      value: 1, name: "Label", category: PhantomLabels.anatomy, type: PhantomLabels.anatomy,
      color: [1, 2, 3])
    return Document(
      name: origin.modelName, version: origin.modelVersion, labels: isGrouped ? [label] : parts,
      groupings: isGrouped ? parts : nil, segments: isGrouped ? "groupings" : "labels")
  }

  /// Of all documents of this process, removed at its end.
  private static let folder: URL = {
    atexit { _ = try? FileManager.default.removeItem(at: PhantomModel.folder) }
    return FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-phantom-models-\(getpid())")
  }()

  /// The origin of results of this model, whose document is on disk then. JSON is YAML.
  ///
  /// - Parameter origin: with the model's name and version.
  func described(_ origin: ResultOrigin) -> ResultOrigin {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var described = origin
    do {
      let data = try encoder.encode(document(origin))
      let sum = hexadecimal(SHA256.hash(data: data))
      described.modelSHA256 = hexadecimal(
        SHA256.hash(data: Data("\(Document.weights)\n\(sum)".utf8)))
      let file = Self.folder.appendingPathComponent("\(sum)/model.yaml")
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: file, options: .atomic)
      described.modelFile = file.path
    } catch {
      Issue.record("no model.yaml of a phantom: \(error)")
    }
    return described
  }
}
