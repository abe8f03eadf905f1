import DICOM
import Foundation
import Logging
import SeriesReading
import ServiceLifecycle
import WatchFolder

/// A watch folder as a service of the daemon.
public struct WatchedFolder: Service {
  private let folder: FolderWatcher
  /// As the configuration has it.
  private let path: String
  private let intake: Intake
  private let logger: Logger

  /// - Throws: `WatchFolderError` where the folder cannot be read.
  public init(url: URL, settleTime: TimeInterval, intake: Intake, logger: Logger)
    throws(WatchFolderError)
  {
    let path = url.path
    folder = try FolderWatcher(
      url: url, settings: .init(settleTime: settleTime, rescanInterval: 30)
    ) { logger.warning("\($0)", metadata: ["folder": "\(path)"]) }
    self.path = path
    self.intake = intake
    self.logger = logger
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        for await file in folder where !isSettled(file) {
          // As on a full disk: tried until it can be stored, without delaying other files.
          group.addTask {
            repeat {
              try? await Task.sleep(for: .seconds(10))
            } while !Task.isCancelled
              && !isSettled(file)
          }
        }
      }
    }
  }

  /// Takes or refuses a file; false where neither is possible now. Its name may be a patient's, and is in no log.
  private func isSettled(_ file: URL) -> Bool {
    do throws(IntakeError) {
      try intake.take(copyOf: file)
      return true
    } catch {
      logger.warning("\(error)", metadata: metadata(of: file))
      switch error {
      case .notStored, .notRecorded, .refused(.readerUnavailable): return false
      case .refused(.notReadable): return !FileManager.default.fileExists(atPath: file.path)
      default: return true
      }
    }
  }

  /// Which study the file is of, as far as it can be read.
  private func metadata(of file: URL) -> Logger.Metadata {
    let partial = PartialIdentity(ofDamaged: file.path)
    var metadata: Logger.Metadata = [
      "folder": "\(path)", "study": "\(partial.studyInstanceUID ?? "unknown")",
    ]
    metadata["series"] = partial.seriesInstanceUID.map { "\($0)" }
    metadata["instance"] = partial.sopInstanceUID.map { "\($0)" }
    return metadata
  }
}
