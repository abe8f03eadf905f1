import Foundation
import Logging
import SeriesReading
import ServiceLifecycle
import WatchFolder

/// A watch folder as a service of the daemon.
public struct WatchedFolder: Service {
  private let folder: FolderWatcher
  private let intake: Intake
  private let logger: Logger

  /// - Throws: `WatchFolderError` where the folder cannot be read.
  public init(url: URL, settleTime: TimeInterval, intake: Intake, logger: Logger)
    throws(WatchFolderError)
  {
    folder = try FolderWatcher(
      url: url, settings: .init(settleTime: settleTime, rescanInterval: 30)
    ) { logger.warning("\($0)") }
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

  /// Takes or refuses a file; false where neither is possible now.
  private func isSettled(_ file: URL) -> Bool {
    do throws(IntakeError) {
      try intake.take(copyOf: file)
      return true
    } catch {
      logger.warning("\(error)")
      switch error {
      case .notStored, .notRecorded, .refused(.readerUnavailable): return false
      case .refused(.notReadable): return !FileManager.default.fileExists(atPath: file.path)
      default: return true
      }
    }
  }
}
