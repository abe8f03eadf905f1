import Tensors
import UNETRPP

/// Names and places of a network's trainable tensors, and of its running statistics.
struct ParameterTable {
  private(set) var entries: [ParameterEntry] = []
  private(set) var bufferEntries: [ParameterEntry] = []
  private(set) var count = 0
  private(set) var bufferCount = 0
  private var places: [String: Range<Int>] = [:]

  /// - Parameters:
  ///   - description: sizes of the network.
  ///   - deepSupervision: whether the heads of the coarser resolutions (out2, out3) are trained too.
  init(_ description: NetworkDescription, deepSupervision: Bool) {
    for entry in description.stateDictionary() {
      let isDeepHead = entry.name.hasPrefix("out2.") || entry.name.hasPrefix("out3.")
      // What inference can do without is a head or the second name of a shared projection.
      guard entry.isRequired || isDeepHead && deepSupervision else { continue }
      if Self.isRunning(entry.name) {
        bufferEntries.append(place(entry, at: bufferCount, isDecayed: false))
        bufferCount = Self.aligned(bufferEntries[bufferEntries.count - 1].range.upperBound)
      } else {
        entries.append(place(entry, at: count, isDecayed: Self.isDecayed(entry)))
        count = Self.aligned(entries[entries.count - 1].range.upperBound)
      }
    }
  }

  private mutating func place(
    _ entry: StateEntry, at start: Int, isDecayed: Bool
  ) -> ParameterEntry {
    let range = start..<start + entry.shape.reduce(1, *)
    places[entry.name] = range
    return ParameterEntry(
      name: entry.name, shape: entry.shape, range: range, isDecayed: isDecayed)
  }

  /// The next cache line's boundary.
  private static func aligned(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  static func isRunning(_ name: String) -> Bool {
    name.hasSuffix(".running_mean") || name.hasSuffix(".running_var")
  }

  private static func isDecayed(_ entry: StateEntry) -> Bool {
    entry.shape.count > 1 && !entry.name.contains("temperature")
      && !entry.name.contains("pos_embed")
  }

  /// Where a tensor is among the values of its kind.
  subscript(name: String) -> Range<Int> {
    guard let range = places[name] else {
      // Of the program, not of data: layers ask for the names of the state dictionary only.
      preconditionFailure("the state dictionary has no tensor \(name)")
    }
    return range
  }
}
