import FileSystem
import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import Wording

/// Notes in the ledger when a destination has taken nothing for a while, when the disk is short, and when that
/// is over.
public struct AlarmWatch: Service {
  private let ledger: Ledger
  private let folder: String
  private let destinationPatience: Double
  private let diskFreeBytes: Int
  private let pause: Duration
  private let logger: Logger

  /// - Parameters:
  ///   - ledger: of the daemon.
  ///   - folder: whose disk is watched.
  ///   - destinationPatience: seconds.
  ///   - diskFreeBytes: with less the disk is short.
  ///   - pause: between two looks.
  ///   - logger: is told what cannot be noted.
  public init(
    ledger: Ledger, folder: String, destinationPatience: Double, diskFreeBytes: Int,
    pause: Duration = .seconds(5), logger: Logger
  ) {
    self.ledger = ledger
    self.folder = folder
    self.destinationPatience = destinationPatience
    self.diskFreeBytes = diskFreeBytes
    self.pause = pause
    self.logger = logger
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      var logged = ""
      while !Task.isCancelled {
        do {
          try look()
          logged = ""
        } catch {
          if logged != "\(error)" { logger.error("what is wrong cannot be noted: \(error)") }
          logged = "\(error)"
        }
        try? await Task.sleep(for: pause)
      }
    }
  }

  func look() throws {
    try look(freeBytes: DiskSpace(of: folder)?.available)
    let failing = try ledger.failingDestinations()
    for destination in failing {
      let results = counted(destination.waiting, "result waits", "results wait")
      try ledger.watch(
        .destination, destination.name, fault: "\(results): \(destination.error)",
        patience: destinationPatience)
    }
    for name in try ledger.alarms(.destination) where !failing.contains(where: { $0.name == name })
    {
      try ledger.watch(.destination, name, fault: nil, patience: 0)
    }
  }

  /// It is enough again with a tenth more, so that it does not come and go with each study.
  func look(freeBytes: Int?) throws {
    guard let freeBytes else { return }
    let subject = "the disk of the state directory"
    let gigabytes = String(format: "%.1f GB", Double(freeBytes) / 1e9)
    if freeBytes < diskFreeBytes {
      let demand = String(format: "%.1f GB", Double(diskFreeBytes) / 1e9)
      try ledger.watch(
        .disk, subject, fault: "\(gigabytes) are free, less than \(demand)", patience: 30)
    } else if freeBytes >= diskFreeBytes / 10 * 11 {
      try ledger.watch(.disk, subject, fault: nil, patience: 0)
    }
  }
}
