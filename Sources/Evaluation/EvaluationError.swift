import Volumes

/// Why volumes cannot be compared.
public enum EvaluationError: Error, Sendable, Equatable, CustomStringConvertible {
  case differentGrids(found: VolumeGrid, known: VolumeGrid)
  /// Known labels hold a value that the benchmark or model does not have.
  case unknownLabel(value: UInt8, expected: [UInt8])

  public var description: String {
    switch self {
    case .differentGrids(let found, let known):
      "the segmentation's voxels (\(formatted(found))) are not those of the known labels "
        + "(\(formatted(known))); resample one of them first"
    case .unknownLabel(let value, let expected):
      "the known labels hold the value \(value), which is none of "
        + expected.map { "\($0)" }.joined(separator: ", ")
    }
  }

  private func formatted(_ grid: VolumeGrid) -> String {
    func text(_ value: Double) -> String { Volumes.formatted(value, decimals: 3) }
    let origin = grid.affine.origin
    return "\(grid.columns)×\(grid.rows)×\(grid.slices) of "
      + grid.spacing.reversed().map { text($0) }.joined(separator: "×")
      + " mm from \(text(origin.x)), \(text(origin.y)), \(text(origin.z))"
  }
}

/// Checks that known labels have no other values than those expected: labels numbered in another
/// way would be scored against the wrong structures.
public func checkValues(of known: LabelVolume, expected: Set<UInt8>) throws(EvaluationError) {
  var isPresent = [Bool](repeating: false, count: 256)
  for label in known.labels { isPresent[Int(label)] = true }
  for value in 1...255 where isPresent[value] && !expected.contains(UInt8(value)) {
    throw .unknownLabel(value: UInt8(value), expected: expected.sorted())
  }
}
