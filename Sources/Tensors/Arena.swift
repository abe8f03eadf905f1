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

  /// The bytes of an arena of this layout; `Int.max` where there is no such number.
  public var bytes: Int {
    let (bytes, isTooLarge) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.size)
    return isTooLarge ? .max : bytes
  }

  /// Asks the system for memory and gives it back: packed weights are many small allocations that
  /// cannot fail one by one, so that a network asks for all of them before the first.
  ///
  /// - Throws: ``NotEnoughMemory`` where the system would refuse it.
  public static func checkAvailable(bytes: Int) throws(NotEnoughMemory) {
    try ZeroedMemory.checkAvailable(bytes: bytes)
  }

  /// Adds room for `count` floats, aligned to a cache line.
  public mutating func add(_ count: Int) -> Slot {
    let slot = Slot(offset: self.count, count: count)
    self.count += (count + 15) / 16 * 16
    return slot
  }
}

/// One allocation that holds every activation of a network, zeroed at the start.
///
/// ```swift
/// var layout = ArenaLayout()
/// let tokens = layout.add(32 * 32 * 32 * 64)   // floats
/// let arena = try Arena(layout)
/// let values = arena[tokens]                   // UnsafeMutablePointer<Float>
/// ```
public final class Arena {
  private let memory: ZeroedMemory
  private let base: UnsafeMutablePointer<Float>

  /// - Throws: ``NotEnoughMemory`` where the system refuses it.
  public init(_ layout: ArenaLayout) throws(NotEnoughMemory) {
    memory = try ZeroedMemory(bytes: layout.bytes)
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
    // Who makes many has asked by `ArenaLayout.checkAvailable`; what is refused after that ends the
    // program, as an array does.
    guard let memory = try? ZeroedMemory(bytes: bytes) else {
      preconditionFailure("no memory for \(bytes) bytes of weights")
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
