/// Counts rows by what they are. A row that has become something else is counted anew.
struct Tally<Kind: Hashable & Sendable>: Sendable {
  private struct Entry {
    var kind: Kind
    var count: Int
  }

  /// How many there are of each kind; kinds of which there is none any more are not there.
  private(set) var counts: [Kind: Int] = [:]
  private var entries: [Int64: Entry] = [:]

  /// - Parameters:
  ///   - row: its number.
  ///   - kind: what it is now.
  ///   - count: how many it counts for.
  mutating func set(_ row: Int64, to kind: Kind, count: Int = 1) {
    remove(row)
    entries[row] = Entry(kind: kind, count: count)
    add(count, kind)
  }

  mutating func remove(_ row: Int64) {
    if let known = entries.removeValue(forKey: row) { add(-known.count, known.kind) }
  }

  private mutating func add(_ count: Int, _ kind: Kind) {
    let sum = counts[kind, default: 0] + count
    counts[kind] = sum == 0 ? nil : sum
  }
}
