import Foundation
import Logging
import ServiceLifecycle
import WatchFolder

/// A watch folder as a service of the daemon.
public struct WatchedFolder: Service {
  private let folder: WatchFolder
  private let intake: Intake
  private let logger: Logger

  /// - Throws: `WatchFolderError` where the folder cannot be read.
  public init(url: URL, settleTime: TimeInterval, intake: Intake, logger: Logger)
    throws(WatchFolderError)
  {
    folder = try WatchFolder(
      url: url, settings: .init(settleTime: settleTime, rescanInterval: 30))
    self.intake = intake
    self.logger = logger
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      for await file in folder { await take(file) }
    }
  }

  /// A file that cannot be stored now, on a full disk say, is tried until it can.
  private func take(_ file: URL) async {
    while !Task.isCancelled {
      do throws(IntakeError) {
        return try intake.take(copyOf: file)
      } catch {
        logger.warning("\(error)")
        guard case .notStored = error else { return }
        try? await Task.sleep(for: .seconds(10))
      }
    }
  }
}
