import Foundation

/// A regular file mapped read-only into memory for as long as the object lives.
///
/// `@unchecked Sendable`: the mapping is read-only and private and the stored properties are
/// constants.
final class MappedFile: @unchecked Sendable {
  /// Why a file could not be mapped, in words of the system.
  struct Failure: Error { var reason: String }

  let path: String
  /// Valid while the object lives: only for who holds it in a stored property.
  let bytes: UnsafeRawBufferPointer

  init(path: String) throws(Failure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(reason: "it is not a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else { throw Failure(reason: "it is empty") }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw Failure(reason: String(cString: strerror(errno))) }
    self.path = path
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

  /// A copy of the first bytes, all of them by default.
  func copy(_ count: Int = .max) -> [UInt8] {
    withExtendedLifetime(self) { Array(bytes.prefix(count)) }
  }

  subscript(range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[range])
  }
}
