import Tensors

/// A network's trainable tensors in single precision, their gradients, and its running statistics,
/// each kind in one flat array, every tensor on a cache line's boundary. What is between the tensors
/// is always zero.
///
/// ```swift
/// let store = network.parameters
/// for entry in store.entries where entry.isDecayed { … store.values[entry.range] … }
/// ```
public final class ParameterStore {
  public typealias Entry = ParameterEntry

  /// The trainable tensors in ascending order of their places. A projection that keys and values
  /// share is there once, under the name of its first use (`E`).
  public let entries: [Entry]
  public let values: UnsafeMutableBufferPointer<Float>
  /// Derivatives of the loss by the values, in the same places.
  public let gradients: UnsafeMutableBufferPointer<Float>
  /// The running means and variances of the BatchNorms, which are not trained.
  public let bufferEntries: [Entry]
  public let buffers: UnsafeMutableBufferPointer<Float>

  private let arena: Arena

  /// - Throws: `NotEnoughMemory` where the system refuses it.
  init(_ table: ParameterTable) throws(NotEnoughMemory) {
    entries = table.entries
    bufferEntries = table.bufferEntries
    var layout = ArenaLayout()
    let slots = Self.slots(table, in: &layout)
    arena = try Arena(layout)
    values = UnsafeMutableBufferPointer(start: arena[slots.values], count: table.count)
    gradients = UnsafeMutableBufferPointer(start: arena[slots.gradients], count: table.count)
    buffers = UnsafeMutableBufferPointer(start: arena[slots.buffers], count: table.bufferCount)
  }

  private static func slots(
    _ table: ParameterTable, in layout: inout ArenaLayout
  ) -> (values: Slot, gradients: Slot, buffers: Slot) {
    (layout.add(table.count), layout.add(table.count), layout.add(table.bufferCount))
  }

  /// The bytes that a store of a table reserves.
  static func bytes(_ table: ParameterTable) -> Int {
    var layout = ArenaLayout()
    _ = slots(table, in: &layout)
    return layout.bytes
  }

  /// The entry of a trainable tensor.
  public func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }
}
