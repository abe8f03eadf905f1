import Foundation

/// One process that receives, of all that ever did: its associations have their keys from it, and the
/// files that it makes their names, so that what it left can be told from what others are about to do.
public struct ReceivingSession: Sendable, Codable, Equatable {
  /// Of the daemon whose receiving process it is.
  public var daemon: String
  /// Counts the receiving processes of the daemon.
  public var process: Int

  /// - Parameters:
  ///   - daemon: the daemon; by default a new one.
  ///   - process: counts its receiving processes; 0 for itself.
  public init(daemon: String = UUID().uuidString.lowercased(), process: Int = 0) {
    self.daemon = daemon
    self.process = process
  }

  /// Keys of associations begin so.
  public var key: String { "\(daemon)/\(process)" }

  private var daemonPrefix: String { daemon.prefix(8) + "-" }
  private var prefix: String { daemonPrefix + "\(process)-" }

  /// A name for a new file, without ending.
  func newFileName() -> String { prefix + UUID().uuidString.lowercased() }

  /// Whether a file has its name from this process.
  func names(_ file: String) -> Bool { file.hasPrefix(prefix) }

  /// Whether a file has its name from a process of the same daemon.
  func isOfSameDaemon(_ file: String) -> Bool { file.hasPrefix(daemonPrefix) }
}
