import Checkpoints
import FileSystem
import Foundation
import Segmentation

/// Writes a model's bundle: weights, `model.yaml`, and a card.
enum BundleWriting {
  static let weightsName = "weights.safetensors"
  /// The largest number of half precision.
  private static let halfLimit: Float = 65_504

  /// Writes averaged weights.
  ///
  /// In half precision, matrices and kernels are rounded to float16 and everything of one dimension
  /// stays float32, as do tensors with a value that float16 cannot hold.
  ///
  /// - Throws: ``TrainingError/unwritable(path:reason:)``.
  static func write(
    _ tensors: [SafetensorsWriter.NamedTensor], precision: WeightSettings.Precision,
    metadata: [String: String],
    to url: URL
  ) throws(TrainingError) {
    func isHalf(_ tensor: SafetensorsWriter.NamedTensor) -> Bool {
      precision == .half && tensor.shape.count > 1
        && tensor.values.allSatisfy { abs($0) <= halfLimit }
    }
    // Those of four bytes first, so that each is on a boundary of four bytes.
    let ordered = tensors.filter { !isHalf($0) } + tensors.filter(isHalf)
    let half = Set(ordered.indices.filter { isHalf(ordered[$0]) })
    do throws(SafetensorsError) {
      try SafetensorsWriter.write(
        ordered.map { ($0.name, $0.shape) }, metadata: metadata, half: half, to: url.path,
        failure: { (error) -> SafetensorsError in error },
        values: { (index) throws(SafetensorsError) in ordered[index].values })
    } catch {
      guard case .unwritable(let path, let reason) = error else {
        throw .unwritable(path: url.path, reason: "\(error)")
      }
      throw .unwritable(path: path, reason: reason)
    }
    chmod(url.path, 0o644)
  }

  /// Writes `model.yaml` next to weights that are there, with their checksum, and a card.
  static func describe(
    _ document: ModelDocument, heading: [String], card: String?, in folder: URL
  ) throws {
    var document = document
    let weights = folder.appendingPathComponent(weightsName)
    try document.set(weights: weightsName, sha256: ModelBundle.sha256(of: weights))
    try write(try document.text(heading: heading), to: folder.appendingPathComponent("model.yaml"))
    if let card { try write(card, to: folder.appendingPathComponent("CARD.md")) }
  }

  private static func write(_ text: String, to url: URL) throws(TrainingError) {
    do throws(DurableFileError) {
      try DurableFile.write(to: url.path) { path in
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      }
    } catch {
      throw TrainingError(error)
    }
    chmod(url.path, 0o644)
  }

  /// Checks that there is no bundle of the name yet.
  ///
  /// - Throws: ``TrainingError/bundleExists(path:)``.
  static func checkIsFree(_ name: String, in folder: URL) throws(TrainingError) {
    let path = folder.appendingPathComponent(name).path
    guard !FileManager.default.fileExists(atPath: path) else { throw .bundleExists(path: path) }
  }

  /// Makes a bundle in a hidden folder and gives it its name once it is whole: it is there complete
  /// or not at all, and no other is replaced.
  ///
  /// - Throws: ``TrainingError/bundleExists(path:)``, or what `fill` throws.
  static func publish<Result>(
    _ name: String, in folder: URL, _ fill: (URL) async throws -> Result
  ) async throws -> Result {
    try checkIsFree(name, in: folder)
    let target = folder.appendingPathComponent(name)
    let hidden = folder.appendingPathComponent(".\(name).new")
    // What a kill has left.
    try? FileManager.default.removeItem(at: hidden)
    try makeFolder(hidden)
    do {
      let result = try await fill(hidden)
      try DurableFile.move(hidden.path, to: target.path)
      return result
    } catch let error as DurableFileError {
      try? FileManager.default.removeItem(at: hidden)
      throw TrainingError(error)
    } catch {
      try? FileManager.default.removeItem(at: hidden)
      throw error
    }
  }

  static func makeFolder(_ url: URL) throws(TrainingError) {
    do {
      try FileManager.default.createDirectory(
        at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    } catch {
      throw .unwritable(path: url.path, reason: SystemError.text(of: error))
    }
  }
}
