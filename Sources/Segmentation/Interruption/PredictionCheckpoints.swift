import FileSystem
import Foundation

/// Where and how often the state of a prediction is kept on disk.
public struct PredictionCheckpoints: Sendable {
  /// Something that happened to a checkpoint.
  public enum Report: Sendable, Equatable {
    /// A segmentation resumes after so many patches.
    case resumed(patches: Int, of: Int)
    /// A checkpoint is not used, and everything is computed again.
    case discarded(reason: String)
    case written(bytes: Int, time: Duration)
    /// The segmentation continues without it.
    case notWritten(reason: String)
  }

  /// Holds the checkpoints of one job and nothing else; it is made when the first is written.
  public var folder: URL
  /// SHA-256 of everything that the result depends on: a checkpoint of another one is not used.
  public var fingerprint: String
  /// The version of what the program computes, likewise.
  public var program: String
  /// The least time of computing between two checkpoints; nil for none but that of an interruption.
  public var interval: Duration?
  /// Bytes that stay free on the disk.
  public var diskReserve: Int
  /// Called on the segmenter's thread.
  public var report: @Sendable (Report) -> Void

  /// Tells the volumes of an input apart; part of a file's name.
  var volume = "volume"
  /// Whether the labels are kept once the last patch is done, as other volumes are still to come.
  var keepsFinished = false

  /// - Parameters:
  ///   - folder: holds the checkpoints of one job and nothing else.
  ///   - fingerprint: SHA-256 of everything that the result depends on.
  ///   - program: the version of what the program computes.
  ///   - interval: the least time of computing between two checkpoints; nil for none but that of an
  ///     interruption.
  ///   - diskReserve: bytes that stay free on the disk.
  ///   - report: called on the segmenter's thread.
  public init(
    folder: URL, fingerprint: String, program: String, interval: Duration? = .seconds(30),
    diskReserve: Int = 0, report: @escaping @Sendable (Report) -> Void = { _ in }
  ) {
    self.folder = folder
    self.fingerprint = fingerprint
    self.program = program
    self.interval = interval
    self.diskReserve = diskReserve
    self.report = report
  }

  /// Of the names of checkpoints.
  static let suffix = ".prediction"

  var file: URL { folder.appendingPathComponent(volume + Self.suffix) }

  /// The state that was kept of a prediction; nil where there is none that can be used.
  func stored(_ subject: PredictionSubject) -> PredictionState? {
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do throws(PredictionFileError) {
      return try PredictionFile.read(file.path, subject: subject)
    } catch {
      report(.discarded(reason: "\(file.path): \(error)"))
      unlink(file.path)
      return nil
    }
  }

  /// Keeps the state of a prediction, in place of an older one.
  ///
  /// - Returns: whether it is on disk; where it is not, an older one is still there.
  func store(_ state: PredictionState, _ subject: PredictionSubject) -> Bool {
    let start = ContinuousClock.now
    do throws(DurableFileError) {
      try makeFolder()
      let bytes = PredictionFile.byteCount(state)
      if let fault = spaceFault(bytes) {
        report(.notWritten(reason: fault))
        return false
      }
      try PredictionFile.write(state, subject: subject, to: file.path)
      report(.written(bytes: bytes, time: start.duration(to: .now)))
      return true
    } catch {
      report(.notWritten(reason: "\(error)"))
      return false
    }
  }

  func makeFolder() throws(DurableFileError) {
    guard mkdir(folder.path, 0o700) != 0 else {
      return try DurableFile.sync(folder.deletingLastPathComponent().path)
    }
    let error = SystemError()
    guard error.number == EEXIST else {
      throw DurableFileError(file: folder.path, reason: error.description, system: error)
    }
  }

  /// Why a file of some bytes is not written; nil where it can be. The older one stays until then.
  func spaceFault(_ bytes: Int) -> String? {
    guard let available = DiskSpace(of: folder.path)?.available, available - bytes < diskReserve
    else {
      return nil
    }
    return "\(folder.path): \(bytes >> 20) MiB would leave \(max(0, available - bytes) >> 20) MiB "
      + "free on the disk, less than its reserve of \(diskReserve >> 20) MiB"
  }
}
