import Foundation

/// Why a library could not write a file.
public struct WritingFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// In the library's words.
  public var description: String
  /// The error of the operating system behind it, where there is one.
  public var system: SystemError?

  public init(_ description: String, system: SystemError? = nil) {
    self.description = description
    self.system = system
  }

  /// Calls a library that says that writing failed and not why: the error of the disk that the system has
  /// left is asked for at once, as a fault that passes is not there any more a moment later.
  ///
  /// - Parameter call: returns the library's words for a failure, or nil.
  /// - Throws: ``WritingFault``
  public static func check(_ call: () -> String?) throws(WritingFault) {
    errno = 0
    guard let reason = call() else { return }
    let number = errno
    let ofDisk = [EIO, ENOSPC, EDQUOT, EROFS, EFBIG, ENOMEM, EMFILE, ENFILE].contains(number)
    throw WritingFault(reason, system: ofDisk ? SystemError(number) : nil)
  }
}
