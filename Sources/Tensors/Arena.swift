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
  private let memory: ZeroedMemory
  private let base: UnsafeMutablePointer<Float>

  /// - Returns: nil if there is not enough memory.
  public init?(_ layout: ArenaLayout) {
    guard let memory = ZeroedMemory(bytes: layout.bytes) else { return nil }
    self.memory = memory
    base = memory.base.bindMemory(to: Float.self, capacity: max(16, layout.count))
  }

  /// Where the slot is.
  public subscript(slot: Slot) -> UnsafeMutablePointer<Float> { base + slot.offset }
}

/// A constant array at a stable address: weights.
public final class Parameters {
  public let pointer: UnsafeMutablePointer<Float>
  public let count: Int
  /// What the values live in.
  private let owner: AnyObject

  private static var empty: UnsafePointer<Float> {
    UnsafePointer(bitPattern: MemoryLayout<Float>.alignment).unsafelyUnwrapped
  }

  /// Values that live as long as `owner`, and are only read.
  public init(_ values: UnsafeBufferPointer<Float>, in owner: AnyObject) {
    count = values.count
    self.owner = owner
    pointer = UnsafeMutablePointer(mutating: values.baseAddress ?? Self.empty)
  }

  /// Zeros on a cache line's boundary, to be filled in.
  public init(zeros count: Int) {
    self.count = count
    let bytes = count * MemoryLayout<Float>.stride
    guard let memory = ZeroedMemory(bytes: bytes) else {
      preconditionFailure("no memory for \(bytes) bytes of weights")  // as an array would end
    }
    owner = memory
    pointer = memory.base.bindMemory(to: Float.self, capacity: max(1, count))
  }

  /// A copy of values.
  public convenience init(_ values: [Float]) {
    self.init(zeros: values.count)
    values.withUnsafeBufferPointer {
      if let source = $0.baseAddress { pointer.update(from: source, count: count) }
    }
  }
}
