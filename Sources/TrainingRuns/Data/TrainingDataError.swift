import Volumes

/// Why a case cannot be trained with. Every message names the file and what to do.
public enum TrainingDataError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file cannot be read; the reason names it.
  case unreadable(name: String, reason: String)
  case channelCount(path: String, found: Int, expected: Int)
  /// A channel is not on the voxels of the first one.
  case channelsOnDifferentGrids(
    path: String, grid: VolumeGrid, first: String, firstGrid: VolumeGrid)
  /// Labels are not on the image's voxels.
  case labelsOnDifferentGrid(path: String, grid: VolumeGrid, image: String, imageGrid: VolumeGrid)
  case unknownLabel(path: String, value: UInt8, voxels: Int, classes: Int)
  /// A voxel of an image is infinite or not a number.
  case notFinite(path: String, value: Float, column: Int, row: Int, slice: Int)
  /// All voxels of an image are the same.
  case constant(path: String, value: Float)
  case cannotPrepare(name: String, reason: String)
  /// No case that is trained with holds the label.
  case missingClass(value: UInt8, label: String, cases: Int)
  case noCases

  public var description: String {
    switch self {
    case .unreadable(let name, let reason): "case \(name): \(reason)"
    case .channelCount(let path, let found, let expected):
      "\(path): the case has \(found) image channel(s), the network takes \(expected); give one file "
        + "for each channel (NAME_0000, NAME_0001 …) or one with a fourth axis, or change "
        + "inputChannels"
    case .channelsOnDifferentGrids(let path, let grid, let first, let firstGrid):
      "\(path): has \(Self.text(grid)), but channel 0, \(first), \(Self.text(firstGrid)); resample it "
        + "onto the voxels of channel 0"
    case .labelsOnDifferentGrid(let path, let grid, let image, let imageGrid):
      "\(path): the labels have \(Self.text(grid)), their image \(image) \(Self.text(imageGrid)); "
        + "resample the labels onto the voxels of the image (nearest neighbour), or remove the case"
    case .unknownLabel(let path, let value, let voxels, let classes):
      "\(path): \(voxels) voxel(s) have the value \(value), but the labels are 1 to \(classes - 1); "
        + "renumber them, or add the label to the model"
    case .notFinite(let path, let value, let column, let row, let slice):
      "\(path): voxel (\(column), \(row), \(slice)) is \(value); replace values that are not "
        + "numbers, or remove the case"
    case .constant(let path, let value):
      "\(path): every voxel is \(value), so that the image shows nothing; remove the case"
    case .cannotPrepare(let name, let reason): "case \(name): \(reason)"
    case .missingClass(let value, let label, let cases):
      "none of the \(cases) training case(s) holds label \(value) (\(label)): the network cannot learn "
        + "it; add cases that show it, choose another split, or remove the label from the model"
    case .noCases: "there is no case to train with"
    }
  }

  private static func text(_ grid: VolumeGrid) -> String {
    func millimetres(_ values: [Double], _ separator: String) -> String {
      values.map { formatted($0, decimals: 3) }.joined(separator: separator)
    }
    let origin = grid.affine.origin
    return "\(grid.columns)×\(grid.rows)×\(grid.slices) voxels of "
      + "\(millimetres(grid.spacing.reversed(), "×")) mm from "
      + "(\(millimetres([origin.x, origin.y, origin.z], ", ")))"
  }
}

/// All cases with which something is wrong, so that they can be mended at one go.
public struct TrainingDataErrors: Error, Sendable, Equatable, CustomStringConvertible {
  public var errors: [TrainingDataError]

  public var description: String {
    let shown = errors.prefix(20).map { "\($0)" }.joined(separator: "\n")
    return errors.count > 20 ? "\(shown)\nand \(errors.count - 20) more" : shown
  }
}
