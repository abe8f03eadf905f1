import FileSystem
import Foundation
import Logging
import Synchronization

/// Who connected and who changed what, as audit messages of DICOM PS3.15 A.5 over syslog (RFC 5424): in a file
/// for each day, and at a syslog server. Nobody waits for the server.
public final class AuditLog: Sendable {
  private struct Alerts {
    var began = ContinuousClock.now
    var count = 0
    var omitted = 0
  }

  public let application: AuditedApplication
  private let files: AuditFiles?
  private let queue: SyslogQueue?
  private let age: @Sendable (Date) -> TimeInterval
  private let logger: Logger
  private let alerts = Mutex(Alerts())
  private let swept = Mutex("")
  private let failure = Mutex("")

  /// So many alerts about peers are written in a minute: nobody fills the disk by calling again and again.
  static let alertsPerMinute = 120

  /// - Parameters:
  ///   - application: ours.
  ///   - folder: of the files.
  ///   - keepDays: how long a file is kept; 0 for none to be written.
  ///   - age: seconds since the clock of the machine showed a time, however it was set since: by which the
  ///     files are kept.
  ///   - server: nil where there is none.
  ///   - logger: is told what cannot be written or sent.
  public init(
    application: AuditedApplication, folder: String, keepDays: Int,
    age: @escaping @Sendable (Date) -> TimeInterval, server: SyslogServer?, logger: Logger
  ) {
    self.application = application
    self.age = age
    files = keepDays > 0 ? AuditFiles(folder: folder, keepDays: keepDays) : nil
    queue = server.map { SyslogQueue($0, logger: logger) }
    self.logger = logger
  }

  /// Writes a message into today's file, and sends it once it is there. Waits for the disk.
  ///
  /// - Returns: whether it was written.
  @discardableResult
  public func record(_ message: AuditMessage) -> Bool {
    let entry = SyslogEntry(message, of: application)
    guard write(entry) else { return false }
    queue?.add(entry)
    return true
  }

  private func write(_ entry: SyslogEntry) -> Bool {
    guard let files else { return true }
    let now = Date()
    var isWritten = true
    do throws(SystemError) {
      try files.append(entry.line, at: now)
      failure.withLock { $0 = "" }
    } catch {
      let isNew = failure.withLock { known in
        defer { known = "\(error)" }
        return known != "\(error)"
      }
      if isNew { logger.error("the audit log cannot be written: \(error)") }
      isWritten = false
    }
    let day = AuditFiles.day(now)
    let isNewDay = swept.withLock { swept in
      defer { swept = day }
      return swept != day
    }
    if isNewDay { files.removeOld(age: age) }
    return isWritten
  }

  /// Writes that somebody was not admitted. Beyond a number within a minute they are counted, and the next one
  /// that is written says how many.
  public func notAdmitted(_ peer: AuditedPeer, reason: String) {
    let omitted: Int? = alerts.withLock { alerts in
      if .now - alerts.began >= .seconds(60) {
        alerts = Alerts(omitted: alerts.omitted)
      }
      guard alerts.count < Self.alertsPerMinute else {
        alerts.omitted += 1
        return nil
      }
      alerts.count += 1
      defer { alerts.omitted = 0 }
      return alerts.omitted
    }
    guard let omitted else { return }
    let more = omitted > 0 ? " (\(omitted) more like it were not written)" : ""
    record(.notAdmitted(peer, by: application, reason: reason + more))
  }

  /// Ends once everything is sent, or after a time.
  public func close(within time: Duration = .seconds(3)) async { await queue?.close(within: time) }
}
