import Foundation
import JobLedger

/// A way to tell somebody something.
public protocol NotificationChannel: Sendable {
  /// - Throws: `ServiceError`, or `CancellationError`
  func send(_ message: NotificationMessage) async throws

  /// Connects, and logs in where that can be done without sending anything.
  ///
  /// - Returns: what works, for people.
  /// - Throws: `ServiceError`, or `CancellationError`
  func check() async throws -> String
}

/// Someone who is told of events.
public struct NotificationRecipient: Sendable {
  public var name: String
  public var channel: any NotificationChannel
  public var kinds: Set<Notice.Kind>

  public init(name: String, channel: any NotificationChannel, kinds: Set<Notice.Kind>) {
    self.name = name
    self.channel = channel
    self.kinds = kinds
  }
}
