import FileSystem
import Foundation
import Glibc

/// A file of an instance on its way from a listener into the spool.
///
/// The listener's file has its seal already (``SpoolSeal``). Here it is written last, as with everything that is
/// received: a file that was not complete when the process ended has none.
public struct HandedFile: Sendable {
  public let path: String
  private let descriptor: Int32
  /// Bytes that are still to come.
  public private(set) var missing: Int
  /// The first bytes, until it is known whether they hold a seal.
  private var beginning: Data? = Data()
  private static let preamble = 128

  /// - Parameters:
  ///   - intake: in whose spool it is made.
  ///   - byteCount: of the file.
  /// - Throws: the error of the system, as on a full disk.
  public init(in intake: Intake, byteCount: Int) throws(SystemError) {
    guard let file = try intake.newFile() else { throw SystemError(ENOSPC) }
    descriptor = file.descriptor
    path = file.path
    missing = byteCount
  }

  /// Writes what belongs to the file.
  ///
  /// - Returns: what follows it.
  public mutating func take(_ data: Data) throws(SystemError) -> Data {
    let part = data.prefix(missing)
    missing -= part.count
    if var first = beginning {
      first.append(part)
      beginning = first
      if first.count >= Self.preamble + 4 || missing == 0 {
        beginning = nil
        try write(Self.withoutSeal(first), to: descriptor)
      }
    } else {
      try write(Data(part), to: descriptor)
    }
    return Data(data.dropFirst(part.count))
  }

  private static func withoutSeal(_ first: Data) -> Data {
    guard first.dropFirst(preamble).starts(with: Data("DICM".utf8)) else { return first }
    return Data(count: preamble) + first.dropFirst(preamble)
  }

  /// Closes the file.
  public func close() { Glibc.close(descriptor) }

  /// Closes and removes it.
  public func discard() {
    close()
    unlink(path)
  }
}
