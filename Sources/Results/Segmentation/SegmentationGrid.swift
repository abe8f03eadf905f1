import DICOM
import Foundation
import Volumes

extension SegmentationLabels {
  /// A grid that has the frames of several segmentation objects on its voxels, without their source images:
  /// planes as the first object's, and as many of them as reach from the first frame, or contour, to the last.
  ///
  /// - Parameters:
  ///   - paths: of objects, of which the first is no structure set and says how far its slices are apart.
  ///   - regions: numbers of those whose contours count, of structure sets; nil for all.
  /// - Throws: ``SegmentationLabelsError``, also where the first has no frame, slices at uneven steps, or more
  ///   voxels than a volume may have.
  public static func grid(
    covering paths: [String], regions: Set<Int>? = nil
  ) throws(SegmentationLabelsError) -> VolumeGrid {
    var planes: FramePlanes?
    var places: [Double] = []
    for path in paths {
      let dataset: Dataset
      do { dataset = try DICOMFile(path: path).dataset } catch { throw .unreadable(error) }
      if planes == nil { planes = try FramePlanes(dataset, path: path) }
      guard let planes else { continue }
      if StructureSetRegions.describes(dataset) {
        let points = try StructureSetRegions(dataset, path: path).points(ofRegions: regions)
        places += points.map(planes.plane(of:))
      } else {
        places += try planes.places(of: dataset, path: path)
      }
    }
    guard let planes, let path = paths.first else {
      throw .attribute(file: "", tag: .perFrameFunctionalGroups, frame: nil, reason: "is absent")
    }
    return try planes.grid(from: places.min() ?? 0, to: places.max() ?? 0, path: path)
  }
}

/// The parallel planes that the frames of an object are on.
private struct FramePlanes {
  private static let maximumVoxels = 1 << 27

  let rows: Int
  let columns: Int
  let origin: SIMD3<Double>
  let across: SIMD3<Double>
  let down: SIMD3<Double>
  let normal: SIMD3<Double>
  /// Between two planes, in mm.
  let step: Double

  init(_ dataset: Dataset, path: String) throws(SegmentationLabelsError) {
    func absent(_ tag: Tag, _ reason: String) -> SegmentationLabelsError {
      .attribute(file: path, tag: tag, frame: nil, reason: reason)
    }
    let shared = dataset.items(.sharedFunctionalGroups).first ?? Dataset()
    guard let frame = dataset.items(.perFrameFunctionalGroups).first else {
      throw absent(.perFrameFunctionalGroups, "has no frame")
    }
    func numbers(_ sequence: Tag, _ tag: Tag) -> [Double] {
      (frame.items(sequence).first ?? shared.items(sequence).first)?.reals(tag) ?? []
    }
    let position = numbers(.planePositionSequence, .imagePosition)
    let cosines = numbers(.planeOrientationSequence, .imageOrientation)
    let spacing = numbers(.pixelMeasuresSequence, .pixelSpacing)
    guard position.count == 3 else { throw absent(.imagePosition, "is not 3 numbers") }
    guard cosines.count == 6 else { throw absent(.imageOrientation, "is not 6 numbers") }
    guard spacing.count == 2 else { throw absent(.pixelSpacing, "is not 2 numbers") }
    guard let step = numbers(.pixelMeasuresSequence, .spacingBetweenSlices).first, step > 0 else {
      throw absent(.spacingBetweenSlices, "is absent: the slices are at uneven steps")
    }
    rows = dataset.integer(.rows) ?? 0
    columns = dataset.integer(.columns) ?? 0
    guard rows > 0, columns > 0 else { throw absent(.rows, "is absent") }
    origin = SIMD3(position[0], position[1], position[2])
    let row = SIMD3(cosines[0], cosines[1], cosines[2])
    let column = SIMD3(cosines[3], cosines[4], cosines[5])
    across = row * spacing[1]
    down = column * spacing[0]
    normal = cross(row, column)
    self.step = step
  }

  /// Of each frame in mm along the normal, from the first object's first frame.
  func places(of dataset: Dataset, path: String) throws(SegmentationLabelsError) -> [Double] {
    let shared = dataset.items(.sharedFunctionalGroups).first
    var places: [Double] = []
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      let plane =
        frame.items(.planePositionSequence).first ?? shared?.items(.planePositionSequence).first
      guard let position = plane?.reals(.imagePosition), position.count == 3 else {
        throw .attribute(
          file: path, tag: .imagePosition, frame: index + 1, reason: "is not 3 numbers")
      }
      places.append(place(of: SIMD3(position[0], position[1], position[2])))
    }
    return places
  }

  /// Of a point in mm along the normal, from the first object's first frame.
  func place(of point: SIMD3<Double>) -> Double { ((point - origin) * normal).sum() }

  /// Likewise of the plane that is next to a point: coordinates of contours are rounded.
  func plane(of point: SIMD3<Double>) -> Double { (place(of: point) / step).rounded() * step }

  func grid(
    from first: Double, to last: Double, path: String
  ) throws(SegmentationLabelsError) -> VolumeGrid {
    let count = ((last - first) / step).rounded() + 1
    guard count.isFinite, count * Double(rows * columns) < Double(Self.maximumVoxels) else {
      throw .attribute(
        file: path, tag: .imagePosition, frame: nil,
        reason: "the frames reach over \(count) planes, more than are compared")
    }
    return VolumeGrid(
      columns: columns, rows: rows, slices: Int(count),
      affine: Affine(
        column: across, row: down, slice: normal * step, origin: origin + first * normal))
  }
}
