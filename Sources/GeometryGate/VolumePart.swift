import Volumes

/// Frames of one volume and what told them apart from the others.
struct VolumePart {
  var splitBy: [String: String] = [:]
  var frames: [ImageFrame]
  /// How many positions it lacks that volumes measured with it have.
  var lacking = 0
}

extension [VolumePart] {
  /// In ascending order of what they were split by, numbers as numbers.
  func sortedParts() -> [VolumePart] {
    let names = Set(flatMap(\.splitBy.keys)).sorted()
    return sorted { a, b in
      for name in names {
        let (x, y) = (a.splitBy[name] ?? "", b.splitBy[name] ?? "")
        guard x != y else { continue }
        return precedes(x, y)
      }
      return false
    }
  }
}
