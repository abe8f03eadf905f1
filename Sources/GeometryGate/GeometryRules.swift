/// How far a series may differ from a regular volume and still be taken as one, and what may be
/// repaired.
///
/// The defaults admit the rounding of real scanners (1e-3 to 1e-4 of a millimetre), mend what can
/// be repaired without inventing anatomy, and hold the rest.
public struct GeometryRules: Sendable, Equatable, Codable {
  /// The fewest slices that make a volume.
  public var minimumSlices = 3
  /// Steps between slices may differ by this many mm in all, or by `spacingRelativeTolerance`
  /// of their median where that is more.
  public var spacingTolerance = 0.01
  public var spacingRelativeTolerance = 0.01
  /// How far in mm a slice's origin may be from the straight line through first and last.
  public var positionTolerance = 0.1
  /// The angle in degrees between slice normal and slice step up to which a stack is upright.
  public var maximumTilt = 0.2
  /// How much a direction cosine may differ between slices, a direction's length from one, and
  /// the product of the two directions from zero.
  public var orientationTolerance = 1e-3
  /// How much Pixel Spacing may differ between slices, in mm.
  public var pixelSpacingTolerance = 1e-4
  /// Slices whose positions along the normal differ by no more than this many mm share a place.
  public var samePlaceTolerance = 0.01
  /// Whether reformats and computed maps among the images that call themselves DERIVED or SECONDARY
  /// are taken as measured ones. Localizers, screens and projections are excluded in any case.
  public var acceptsDerivedImages = false
  /// Whether a tilted stack is resampled onto upright planes for the network; else it is held.
  public var resamplesTilt = true
  /// Whether slices at uneven steps are resampled onto a regular grid for the network; else held.
  public var resamplesUnevenSpacing = false
  /// The largest distance in mm between two neighbours across missing slices that is filled by
  /// interpolation; 0 fills none.
  public var fillsGapsUpTo = 0.0
  /// Whether images that do not belong to the series (another patient's, one without a position, one
  /// of another size) are excluded and the rest is used. Else a single such image holds it.
  public var excludesMismatchedImages = false
  /// Whether parts of a series with different frames of reference are volumes of their own; else
  /// they are listed and held.
  public var splitsFramesOfReference = false

  public init() {}
}
