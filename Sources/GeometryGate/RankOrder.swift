/// The order that an attribute gives the images of each position, and whether it proves which volume
/// each belongs to.
///
/// Numbers and times count volumes only where they were given out volume by volume or position by
/// position. Some scanners number instances at random, and images of several reconstructions may
/// have any times: their order at a position says nothing of the order at the next.
struct RankOrder {
  /// One image of a position.
  struct Entry {
    var day: String
    var value: String
    /// Index of the image at its position.
    var image: Int
    let number: Double?

    init(day: String, value: String, image: Int) {
      self.day = day
      self.value = value
      self.image = image
      number = leadingNumber(value)
    }

    func precedes(_ other: Entry) -> Bool {
      guard day == other.day else { return day < other.day }
      if let number, let others = other.number, number != others { return number < others }
      return value < other.value
    }
  }

  /// The entries of each position in ascending order.
  let positions: [[Entry]]
  /// How many images each position has.
  let count: Int
  /// Where each entry is in the order of all images; equal values share a number.
  private let places: [[Int]]

  /// nil where an image has no value or two of one position have the same.
  init?(_ entries: [[Entry]]) {
    guard let count = entries.first?.count, count > 1 else { return nil }
    for position in entries {
      guard position.count == count, position.allSatisfy({ !$0.value.isEmpty }),
        Set(position.map { "\($0.day) \($0.value)" }).count == count
      else { return nil }
    }
    let positions = entries.map { $0.sorted { $0.precedes($1) } }
    let all = positions.indices.flatMap { position in
      (0..<count).map { (position: position, rank: $0) }
    }.sorted { positions[$0.position][$0.rank].precedes(positions[$1.position][$1.rank]) }
    var places = [[Int]](repeating: [Int](repeating: 0, count: count), count: positions.count)
    var place = 0
    for (index, item) in all.enumerated() {
      if index > 0 {
        let before = all[index - 1]
        let isLater = positions[before.position][before.rank]
          .precedes(positions[item.position][item.rank])
        place += isLater ? 1 : 0
      }
      places[item.position][item.rank] = place
    }
    self.positions = positions
    self.count = count
    self.places = places
  }

  /// Whether the images were counted volume after volume, or position after position.
  var isSteady: Bool { volumesFollowEachOther || positionsFollowEachOther }

  /// All images of a volume come before all of the next one, and no two positions come in one order
  /// in one volume and in the other order in another.
  private var volumesFollowEachOther: Bool {
    for rank in 1..<count {
      let last = places.map { $0[rank - 1] }.max() ?? 0
      let first = places.map { $0[rank] }.min() ?? 0
      guard last < first else { return false }
    }
    let inOrder = places.sorted { $0.lexicographicallyPrecedes($1) }
    return zip(inOrder, inOrder.dropFirst()).allSatisfy { before, after in
      zip(before, after).allSatisfy(<=)
    }
  }

  /// All images of a position come before all of another one.
  private var positionsFollowEachOther: Bool {
    let inOrder = places.sorted { $0[0] < $1[0] }
    return zip(inOrder, inOrder.dropFirst()).allSatisfy { $0[count - 1] < $1[0] }
  }

  /// Whether the values are times or parts of one cycle that was sampled in equal steps from the
  /// same point on at each position, however long the cycle was there: trigger times of a cine whose
  /// slices were measured in heartbeats of different length.
  var isCycle: Bool {
    var starts: [Double] = []
    for position in positions {
      let times = position.compactMap(\.number)
      guard times.count == count, let first = times.first, let last = times.last else {
        return false
      }
      let step = (last - first) / Double(count - 1)
      let isEven = times.enumerated().allSatisfy { index, time in
        abs(time - (first + Double(index) * step)) <= step / 4
      }
      guard step > 0, isEven else { return false }
      starts.append(first / step)
    }
    guard let least = starts.min(), let most = starts.max() else { return false }
    return most - least <= 0.5
  }
}
