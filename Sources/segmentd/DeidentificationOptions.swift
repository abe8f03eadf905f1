import ArgumentParser
import Foundation
import Results

/// Whether `run` writes de-identified results, and what their UIDs are made with.
struct DeidentificationOptions: ParsableArguments {
  @Flag(
    name: .customLong("deidentify"),
    help: ArgumentHelp(
      "De-identify the objects of DICOM series, by the basic profile of PS3.15 E. The pictures (contours.png) "
        + "show the images' pixels, and are not cleaned."))
  var isWanted = false

  @Option(
    name: .customLong("uid-key"),
    help: ArgumentHelp(
      "With --deidentify: the file with the secret key for the new UIDs; it is created if it does not exist. "
        + "Without it, another run gives different UIDs.", valueName: "file"), completion: .file())
  var keyFile: String?

  func validate() throws {
    guard isWanted || keyFile == nil else {
      throw ValidationError("--uid-key means nothing without --deidentify")
    }
  }

  /// - Returns: nil where it is not asked for.
  func export(to output: URL) throws -> DeidentifiedExport? {
    guard isWanted else { return nil }
    let key =
      try keyFile.map { try DeidentificationKey(file: URL(fileURLWithPath: $0)) }
      ?? DeidentificationKey()
    return DeidentifiedExport(deidentifier: Deidentifier(key: key), output: output)
  }
}

/// Lets results be written in a folder that nobody else can read, and moves what is de-identified of them to
/// the output.
struct DeidentifiedExport {
  let deidentifier: Deidentifier
  let output: URL

  /// - Parameters:
  ///   - series: Series Instance UID (0020,000E) of the source.
  ///   - segment: writes the result in the folder that it is given.
  func deidentifying(
    _ series: String, segment: (URL) async throws -> RunReport
  ) async throws -> RunReport {
    let hidden = FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-\(UUID().uuidString)")
    let folder = output.appendingPathComponent(deidentifier.key.uid(series))
    for made in [hidden, folder] {
      try FileManager.default.createDirectory(
        at: made, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    defer { try? FileManager.default.removeItem(at: hidden) }
    let report = try await segment(hidden)
    do {
      for file in try FileManager.default.contentsOfDirectory(
        at: hidden, includingPropertiesForKeys: nil)
      {
        let final = folder.appendingPathComponent(file.lastPathComponent)
        if file.pathExtension == "dcm" {
          try deidentifier.write(file.path, to: final.path)
        } else {
          try? FileManager.default.removeItem(at: final)
          try FileManager.default.moveItem(at: file, to: final)
        }
      }
    } catch {
      return RunReport(series: series, failure: error)
    }
    return report.moved(from: hidden, to: folder)
  }
}
