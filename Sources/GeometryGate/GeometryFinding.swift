import Volumes
import Wording

/// Something that the gate found in a series: a problem that holds it, a repair, or a note.
public struct GeometryFinding: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  /// What was found; stable names, fit for a ledger's column or a metric's label.
  public enum Kind: String, Sendable, Equatable, Codable, CaseIterable {
    case noImages, blankUID, notMeasured, pixelFormat, notHounsfieldUnits
    case missingGeometry, invalidGeometry
    case severalSeries, severalPatients, severalFramesOfReference, severalModalities
    case severalLateralities, severalRescaleTypes
    case severalImageSizes, severalPixelSpacings, severalOrientations, severalVolumes
    case noFrameOfReference, duplicateInstance, duplicatePositions
    case tooFewSlices, missingSlices, unevenSpacing, slicesOffLine, tilted
    case stackOfSeries, incomplete, incompleteCorrection, unreadable
  }

  public var kind: Kind
  /// The finding with the attribute, its value and the instances; without patient data.
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}

/// The finding about frames that are too few for a volume.
func tooFewSlices(_ frames: [ImageFrame], rules: GeometryRules) -> GeometryFinding {
  GeometryFinding(
    .tooFewSlices,
    "\(counted(frames.count, "slice")), at least \(max(2, rules.minimumSlices)) make a volume: "
      + formatted(frames))
}
