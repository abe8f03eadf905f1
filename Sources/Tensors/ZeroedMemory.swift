import Foundation

/// Memory that is zero and on a cache line's boundary. Large pieces are on large pages where the
/// system has them: convolutions walk through many rows at once, each on a small page of its own.
final class ZeroedMemory {
  private static let largePage = 2 << 20
  let base: UnsafeMutableRawPointer
  private let release: () -> Void

  /// - Throws: ``NotEnoughMemory`` where the system refuses it.
  init(bytes: Int) throws(NotEnoughMemory) {
    guard bytes >= Self.largePage else {
      var allocated: UnsafeMutableRawPointer?
      guard posix_memalign(&allocated, 64, max(64, bytes)) == 0, let base = allocated else {
        throw NotEnoughMemory(bytes: bytes)
      }
      memset(base, 0, max(64, bytes))
      self.base = base
      release = { free(base) }
      return
    }
    let (mappedBytes, isTooLarge) = bytes.addingReportingOverflow(Self.largePage)
    guard !isTooLarge, let mapping = Self.map(mappedBytes) else {
      throw NotEnoughMemory(bytes: bytes)
    }
    let address = Int(bitPattern: mapping)
    base = mapping + ((address + Self.largePage - 1) / Self.largePage * Self.largePage - address)
    release = { munmap(mapping, mappedBytes) }
    #if os(Linux)
      madvise(base, bytes, Int32(MADV_HUGEPAGE))  // only advice: nothing depends on it
    #endif
    // Taken now: who forecasts the memory of a job starts from what the process has already.
    for offset in stride(from: 0, to: bytes, by: 4096) {
      base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
    }
  }

  deinit { release() }

  private static func map(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let mapping = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return mapping == MAP_FAILED ? nil : mapping
  }

  /// Maps as many bytes and lets them go.
  static func checkAvailable(bytes: Int) throws(NotEnoughMemory) {
    guard bytes > 0 else { return }
    guard let mapping = map(bytes) else { throw NotEnoughMemory(bytes: bytes) }
    munmap(mapping, bytes)
  }
}
