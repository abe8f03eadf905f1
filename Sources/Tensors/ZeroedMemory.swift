import Foundation

/// Memory that is zero and on a cache line's boundary. Large pieces are on large pages where the
/// system has them: convolutions walk through many rows at once, each on a small page of its own.
final class ZeroedMemory {
  private static let largePage = 2 << 20
  let base: UnsafeMutableRawPointer
  private let release: () -> Void

  /// - Returns: nil if there is not enough memory.
  init?(bytes: Int) {
    guard bytes >= Self.largePage else {
      let base = UnsafeMutableRawPointer.allocate(byteCount: max(64, bytes), alignment: 64)
      memset(base, 0, max(64, bytes))
      self.base = base
      release = { base.deallocate() }
      return
    }
    let mappedBytes = bytes + Self.largePage
    guard
      let mapping = mmap(
        nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      mapping != MAP_FAILED
    else { return nil }
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
}
