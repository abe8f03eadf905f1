import Foundation

/// An error of the operating system (errno) in the words that people know it by.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The errno, such as `ENOSPC`.
  public var number: Int32

  public init(_ number: Int32 = errno) { self.number = number }

  /// The errno behind an error of Foundation; nil where there is none.
  public init?(behind error: any Error) {
    if let error = error as? SystemError {
      self = error
      return
    }
    if let error = error as? UnreadableFile {
      self = error.system
      return
    }
    if let error = error as? POSIXError {
      self.init(error.code.rawValue)
      return
    }
    let error = error as NSError
    if error.domain == NSPOSIXErrorDomain {
      self.init(Int32(truncatingIfNeeded: error.code))
    } else if let inner = error.userInfo[NSUnderlyingErrorKey] as? any Error {
      self.init(behind: inner)
    } else {
      return nil
    }
  }

  /// "No space left on device".
  public var description: String { String(cString: strerror(number)) }

  /// What is wrong: in the words of the system where it is one of its errors, else in the error's own.
  public static func text(of error: any Error) -> String {
    if let known = SystemError(behind: error) { return known.description }
    // Of an error of ours Foundation knows nothing but its number.
    guard error is CocoaError || error is URLError || type(of: error) is NSError.Type else {
      return "\(error)"
    }
    let error = error as NSError
    // Foundation says of a folder that is read as a file nothing but a number.
    if error.domain == NSCocoaErrorDomain,
      let path = error.userInfo[NSFilePathErrorKey] as? String
        ?? (error.userInfo[NSURLErrorKey] as? URL)?.path,
      FileStatus(path)?.isFolder == true
    {
      return SystemError(EISDIR).description
    }
    return error.localizedDescription
  }
}
