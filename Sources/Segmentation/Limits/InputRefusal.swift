import Volumes
import Wording

/// Why a model does not take an input.
public enum InputRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  case modality(found: String, accepted: [String])
  case bodyPart(found: String, accepted: [String])
  case channelCount(found: Int, expected: Int)
  case channelsOnDifferentGrids(channel: Int)
  case voxelCount(channel: Int, found: Int, expected: Int)
  /// Spacing in mm along an axis of the model's orientation (0, 1, 2 for z, y, x).
  case spacing(axis: Int, found: Double, min: Double, max: Double)
  case extent(axis: Int, found: Double, min: Double, max: Double)
  case orientation([PatientDirection])
  case notFinite(channel: Int)
  case constant(channel: Int, value: Float)
  /// The intensities are not those of the images the model was made for.
  case intensity(
    channel: Int, statistic: IntensityStatistic, found: Double, min: Double, max: Double)
  /// What the model found is not what it was made for.
  case result(
    name: String, millilitres: Double, largestPart: Double, accepted: OutputLimit.Accepted)

  public var description: String {
    switch self {
    case .modality(let found, let accepted):
      "Modality (0008,0060) is \(found.prefix(16)), the model takes \(listed(accepted))"
    case .bodyPart(let found, let accepted):
      "Body Part Examined (0018,0015) is \(found.prefix(16)), the model takes \(listed(accepted))"
    case .channelCount(let found, let expected):
      "\(counted(found, "image channel")), the model takes \(expected)"
    case .channelsOnDifferentGrids(let channel):
      "channel \(channel) is not on the voxels of channel 0"
    case .voxelCount(let channel, let found, let expected):
      "channel \(channel) has \(found) voxels, its grid \(expected)"
    case .spacing(let axis, let found, let min, let max):
      "spacing along \(axisName(axis)) is \(found) mm, the model takes \(min) to \(max)"
    case .extent(let axis, let found, let min, let max):
      "extent along \(axisName(axis)) is \(found) mm, the model takes \(min) to \(max)"
    case .orientation(let directions):
      "the model's orientation \(directions.map(\.rawValue)) is not three different axes"
    case .notFinite(let channel): "channel \(channel) holds values that are not numbers"
    case .constant(let channel, let value): "all voxels of channel \(channel) are \(value)"
    case .intensity(let channel, let statistic, let found, let min, let max):
      "the \(statistic.rawValue) of channel \(channel) is \(found), the model takes \(min) to "
        + "\(max): this does not look like the images it was made for"
    case .result(let name, let millilitres, let part, let accepted):
      "the model found \(rounded(millilitres)) ml of \(name), \(rounded(100 * part)) % of it in one "
        + "part; it takes \(rounded(accepted.millilitres[0])) to "
        + "\(rounded(accepted.millilitres[1])) ml with at least "
        + "\(rounded(100 * accepted.largestPart)) % in one part: this does not look like the images it "
        + "was made for"
    }
  }

  private func listed(_ values: [String]) -> String { values.joined(separator: ", ") }

  private func axisName(_ axis: Int) -> String { ["z", "y", "x"][axis] }
}
