import Volumes

/// How well a segmentation agrees with the known labels in one structure.
public struct RegionScore: Sendable, Equatable {
  public var region: Region
  /// Dice coefficient, `2 |A ∩ B| / (|A| + |B|)` (Dice, Ecology 26, 1945): 1 where the masks are
  /// equal, 0 where they have no voxel in common. Where both are empty 1, or nil, by the
  /// convention.
  public var dice: Double?
  /// 95th percentile of Hausdorff's distance between the surfaces: of the distances from each
  /// surface voxel of one mask to the nearest surface voxel of the other, in both directions.
  /// Surface voxels have a face neighbour outside the mask, beyond the volume counts as outside.
  /// Infinite or 0 where one mask is empty, 0 where both are (see ``ScoringConvention``). Taha and
  /// Hanbury, BMC Medical Imaging 15:29 (2015), give the measures and their pitfalls.
  public var hd95: Double
  /// Volume found and volume known, in millilitres.
  public var foundMillilitres: Double
  public var knownMillilitres: Double

  /// Found minus known, in millilitres.
  public var volumeDifference: Double { foundMillilitres - knownMillilitres }

  /// The difference as a part of the known volume (MedPy's `ravd`); nil where nothing is known.
  public var relativeVolumeDifference: Double? {
    knownMillilitres > 0 ? volumeDifference / knownMillilitres : nil
  }

  public init(
    region: Region, dice: Double?, hd95: Double, foundMillilitres: Double, knownMillilitres: Double
  ) {
    self.region = region
    self.dice = dice
    self.hd95 = hd95
    self.foundMillilitres = foundMillilitres
    self.knownMillilitres = knownMillilitres
  }
}

/// Scores every region of one case.
///
/// ```swift
/// let liver = Region(key: "1", name: "Liver", values: [1])
/// let scores = try score(found, against: known, regions: [liver])
/// scores[0].dice  // 1 where the masks are equal
/// ```
///
/// - Parameters:
///   - found: the segmentation; its voxels may be stored in another order than the known ones.
///   - known: the reference labels.
///   - regions: what is scored: a label each, or several labels as one.
///   - convention: how empty regions and distances are counted.
/// - Throws: ``EvaluationError/differentGrids(found:known:)`` where the volumes do not cover the
///   same voxels. Nothing is resampled.
public func score(
  _ found: LabelVolume, against known: LabelVolume, regions: [Region],
  convention: ScoringConvention = .standard
) throws(EvaluationError) -> [RegionScore] {
  let found = try brought(found, onto: known.grid)
  return regions.map { score(found, known, region: $0, convention: convention) }
}

/// The labels in the order of another grid over the same voxels.
private func brought(_ labels: LabelVolume, onto grid: VolumeGrid) throws(EvaluationError)
  -> LabelVolume
{
  if labels.grid.isClose(to: grid, tolerance: maximumDistance) { return labels }
  let directions: [PatientDirection] = [.superior, .posterior, .left]
  guard let first = Reorientation(of: labels.grid, to: directions),
    let second = Reorientation(of: grid, to: directions),
    first.apply(labels.grid).isClose(to: second.apply(grid), tolerance: maximumDistance)
  else { throw .differentGrids(found: labels.grid, known: grid) }
  return second.undo(first.apply(labels), to: grid)
}

/// Of voxel centres that count as the same, as a part of a voxel: far above the rounding of
/// headers, far below a shift by a voxel.
private let maximumDistance = 0.05

private func score(
  _ found: LabelVolume, _ known: LabelVolume, region: Region, convention: ScoringConvention
) -> RegionScore {
  let shape = known.grid.shape
  let voxel = known.grid.spacing.reduce(1, *) / 1000
  guard let box = commonBox(found.labels, known.labels, shape: shape, values: region.values) else {
    return RegionScore(
      region: region, dice: convention.bothEmpty == .one ? 1 : nil, hd95: 0, foundMillilitres: 0,
      knownMillilitres: 0)
  }
  let a = Mask(found.labels, shape: shape, box: box, values: region.values)
  let b = Mask(known.labels, shape: shape, box: box, values: region.values)
  var (countA, countB, common) = (0, 0, 0)
  for (isFound, isKnown) in zip(a.isInside, b.isInside) {
    countA += isFound ? 1 : 0
    countB += isKnown ? 1 : 0
    common += isFound && isKnown ? 1 : 0
  }
  let hd95: Double
  if countA == 0 || countB == 0 {
    hd95 = convention.oneEmpty == .zero ? 0 : .infinity
  } else {
    let spacing = convention.unit == .voxels ? [1, 1, 1] : known.grid.spacing
    hd95 = SurfaceDistances(a, b, spacing: spacing)
      .hausdorff(percentile: 95, directions: convention.directions)
  }
  return RegionScore(
    region: region, dice: 2 * Double(common) / Double(countA + countB), hd95: hd95,
    foundMillilitres: Double(countA) * voxel, knownMillilitres: Double(countB) * voxel)
}
