import Volumes

/// Which slices show what was found in some volumes of one shape.
struct ChosenSlices {
  /// Voxels by slice and label.
  private let areas: [[Int]]

  /// - Parameter volumes: as the phases of a heartbeat; each has a voxel for each of its grid.
  init(_ volumes: [LabelVolume]) {
    let slices = volumes.first?.grid.slices ?? 0
    var areas = [[Int]](repeating: [Int](repeating: 0, count: 256), count: slices)
    for volume in volumes {
      let plane = volume.grid.rows * volume.grid.columns
      volume.labels.withUnsafeBufferPointer { voxels in
        for slice in 0..<slices {
          var counts = areas[slice]
          for index in slice * plane..<(slice + 1) * plane where voxels[index] != 0 {
            counts[Int(voxels[index])] += 1
          }
          areas[slice] = counts
        }
      }
    }
    self.areas = areas
  }

  /// Slices with labels, or any where there are none, thinned evenly.
  func even(atMost most: Int) -> [Int] {
    let labelled = areas.indices.filter { slice in areas[slice].contains { $0 > 0 } }
    let candidates = labelled.isEmpty ? Array(areas.indices) : labelled
    guard candidates.count > most else { return candidates }
    return (0..<most).map { candidates[(2 * $0 + 1) * candidates.count / (2 * most)] }
  }

  /// Slices as ``even(atMost:)``, but with each label in one of them: more of them only where each shows
  /// a label that no other one does.
  func showingEachLabel(atMost most: Int) -> [Int] {
    var chosen = Set(even(atMost: most))
    var missing = (1..<256).filter { label in
      areas.contains { $0[label] > 0 } && !chosen.contains { areas[$0][label] > 0 }
    }
    while let first = missing.first {
      // Of those with most of the missing labels the one with most of the first.
      let rank = { (slice: Int) in
        (missing.count { areas[slice][$0] > 0 }, areas[slice][first])
      }
      guard let best = areas.indices.max(by: { rank($0) < rank($1) }) else { break }
      chosen.insert(best)
      missing.removeAll { areas[best][$0] > 0 }
    }
    while chosen.count > most, let slice = dispensable(in: chosen.sorted()) {
      chosen.remove(slice)
    }
    return chosen.sorted()
  }

  /// The slice without which every label is still shown, of several the one that is nearest to its neighbours.
  ///
  /// - Parameter chosen: ascending.
  private func dispensable(in chosen: [Int]) -> Int? {
    let shown = (1..<256).map { label in chosen.count { areas[$0][label] > 0 } }
    let others = chosen.indices.filter { place in
      (1..<256).allSatisfy { areas[chosen[place]][$0] == 0 || shown[$0 - 1] > 1 }
    }
    func gap(_ place: Int) -> Int {
      guard place > 0, place + 1 < chosen.count else { return .max }
      return chosen[place + 1] - chosen[place - 1]
    }
    return others.min { gap($0) < gap($1) }.map { chosen[$0] }
  }
}
