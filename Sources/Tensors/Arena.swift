import Foundation

/// A piece of an arena, in floats.
public struct Slot: Sendable {
  let offset: Int
  public let count: Int
}

/// The plan of an arena: what must be live at the same time, laid end to end.
public struct ArenaLayout: Sendable {
  private(set) var count = 0

  public init() {}

  /// The bytes of an arena of this layout.
  public var bytes: Int { count * MemoryLayout<Float>.size }

  /// Adds room for `count` floats, aligned to a cache line.
  public mutating func add(_ count: Int) -> Slot {
    let slot = Slot(offset: self.count, count: count)
    self.count += (count + 15) / 16 * 16
    return slot
  }
}

/// One allocation that holds every activation of a network, zeroed at the start.
public final class Arena {
  private let base: UnsafeMutablePointer<Float>

  /// - Returns: nil if there is not enough memory.
  public init?(_ layout: ArenaLayout) {
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, 64, max(64, layout.bytes)) == 0, let pointer else { return nil }
    memset(pointer, 0, max(64, layout.bytes))
    base = pointer.bindMemory(to: Float.self, capacity: max(16, layout.count))
  }

  deinit { free(base) }

  /// Where the slot lies.
  public subscript(slot: Slot) -> UnsafeMutablePointer<Float> { base + slot.offset }
}

/// A constant array at a stable, aligned address: weights.
public final class Parameters {
  public let pointer: UnsafeMutablePointer<Float>
  public let count: Int

  public init(_ values: [Float]) {
    count = values.count
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count) * MemoryLayout<Float>.stride, alignment: 64)
    pointer = raw.bindMemory(to: Float.self, capacity: max(1, count))
    values.withUnsafeBufferPointer {
      if let source = $0.baseAddress { pointer.initialize(from: source, count: count) }
    }
  }

  /// Zeros, to be filled in.
  public init(zeros count: Int) {
    self.count = count
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count) * MemoryLayout<Float>.stride, alignment: 64)
    pointer = raw.bindMemory(to: Float.self, capacity: max(1, count))
    pointer.initialize(repeating: 0, count: count)
  }

  deinit { pointer.deallocate() }
}
