import Foundation

extension VolumeGrid {
  /// The patient's directions in which the array axes z, y, x grow; nil where an axis is more than 30°
  /// from every direction, as in oblique images.
  public var directions: [PatientDirection]? {
    let least = cos(30 * Double.pi / 180)
    let found = [affine.slice, affine.row, affine.column].compactMap { step in
      PatientDirection.allCases.first { dot($0.vector, step) >= least * length(step) }
    }
    // Three axes at right angles are never near one direction; sheared ones might be.
    let pairs = Set(found.map { $0.vector * $0.vector })
    return found.count == 3 && pairs.count == 3 ? found : nil
  }
}
