import Checkpoints
import Foundation
import Training

/// Prepared cases on disk, one safetensors file each.
enum CaseStore {
  private static let format = "segmentd prepared case 1"

  static func write(_ volume: TrainingVolume, _ key: String, in folder: URL) throws {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    var metadata = ["format": format, "key": key]
    if let slices = volume.slicesPerPlane { metadata["slicesPerPlane"] = "\(slices)" }
    try SafetensorsWriter.write(
      [
        ("image", [volume.channels] + volume.shape, volume.image),
        ("labels", volume.shape, volume.labels.map { Float($0) }),
      ], metadata: metadata, to: file(key, folder).path)
  }

  /// nil where there is none of the key, or it is damaged: it is then made anew.
  static func read(_ key: String, in folder: URL) -> TrainingVolume? {
    guard let file = try? SafetensorsFile(path: file(key, folder).path),
      file.metadata["format"] == format, file.metadata["key"] == key,
      let image = try? file.floats("image"), let values = try? file.floats("labels"),
      let shape = file.entry("labels")?.shape, shape.count == 3,
      file.entry("image")?.shape.dropFirst() == shape[...]
    else { return nil }
    return TrainingVolume(
      shape: shape, image: image, labels: values.map { UInt8($0) },
      slicesPerPlane: file.metadata["slicesPerPlane"].flatMap(Double.init))
  }

  private static func file(_ key: String, _ folder: URL) -> URL {
    folder.appendingPathComponent("\(key).safetensors")
  }
}
