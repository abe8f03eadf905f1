import FileSystem
import Foundation

/// An error of Foundation in the words of the system, with the file that it is about: its own description is not
/// for people.
struct FoundationFault: Error, CustomStringConvertible {
  var description: String

  /// nil for an error of ours.
  init?(_ error: any Error) {
    let known = error as NSError
    guard [NSCocoaErrorDomain, NSPOSIXErrorDomain].contains(known.domain) else { return nil }
    let path =
      known.userInfo[NSFilePathErrorKey] as? String
      ?? (known.userInfo[NSURLErrorKey] as? URL)?.path
    description = (path.map { "\($0): " } ?? "") + SystemError.text(of: error)
  }
}
