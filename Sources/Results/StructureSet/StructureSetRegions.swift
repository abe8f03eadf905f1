import DICOM
import Foundation
import Volumes

/// The regions of a structure set (PS3.3 A.19) of any origin, and what their closed contours enclose.
///
/// A voxel is in a region where its centre is within an odd number of edges of the region's contours on its plane. So
/// holes are left out, whether a channel joins them to the outline (the keyhole of PS3.3 C.8.8.6.3) or they are
/// contours of their own.
struct StructureSetRegions {
  let path: String
  private let dataset: Dataset

  /// - Throws: ``SegmentationLabelsError`` where the object is no structure set.
  init(_ dataset: Dataset, path: String) throws(SegmentationLabelsError) {
    guard StructureSetRegions.describes(dataset) else {
      throw .unreadable(.missingAttribute(file: path, tag: .pixelData))
    }
    self.dataset = dataset
    self.path = path
  }

  static func describes(_ dataset: Dataset) -> Bool {
    dataset.text(.sopClassUID) == StructureSetStorage.sopClassUID
  }

  /// What the object describes, also where it has no contour of it.
  func segments() throws(SegmentationLabelsError) -> [SegmentationLabels.Segment] {
    var observations: [Int: Dataset] = [:]
    for item in dataset.items(.rtROIObservationsSequence) {
      guard let number = item.integer(.referencedROINumber), observations[number] == nil else {
        continue
      }
      observations[number] = item
    }
    var segments: [SegmentationLabels.Segment] = []
    for item in dataset.items(.structureSetROISequence) {
      guard let number = item.integer(.roiNumber) else { throw fault(.roiNumber, "is absent") }
      guard !segments.contains(where: { $0.number == number }) else {
        throw fault(.roiNumber, "\(number) is that of two regions")
      }
      let observed = observations[number]
      let type = observed?.items(.rtROIIdentificationCodeSequence).first
      let modifier = type?.items(.segmentedPropertyTypeModifierCodeSequence).first
      let names = [item.text(.roiName), observed?.text(.roiObservationLabel)].compactMap(\.self)
      segments.append(
        SegmentationLabels.Segment(
          number: number, name: names.first { !$0.isEmpty } ?? "",
          type: SegmentationLabels.Code(type), modifier: SegmentationLabels.Code(modifier),
          frameOfReferenceUID: item.text(.referencedFrameOfReferenceUID), isRegion: true))
    }
    return segments
  }

  /// A point of each contour of some regions, in mm.
  func points(
    ofRegions numbers: Set<Int>?
  ) throws(SegmentationLabelsError) -> [SIMD3<Double>] {
    var points: [SIMD3<Double>] = []
    for item in dataset.items(.roiContourSequence) {
      guard let region = item.integer(.referencedROINumber), numbers?.contains(region) ?? true
      else { continue }
      for (index, contour) in item.items(.contourSequence).enumerated() {
        points += try self.points(of: contour, index + 1, region).prefix(1)
      }
    }
    return points
  }

  /// Labels on a grid, in its order.
  ///
  /// - Parameters:
  ///   - grid: on whose planes the contours are.
  ///   - labels: of the regions by their number; 0 leaves one out.
  func labels(
    on grid: VolumeGrid, _ labels: [Int: UInt8]
  ) throws(SegmentationLabelsError) -> [UInt8] {
    var volume = [UInt8](repeating: 0, count: grid.voxelCount)
    let size = grid.rows * grid.columns
    for item in dataset.items(.roiContourSequence) {
      guard let region = item.integer(.referencedROINumber), let label = labels[region] else {
        throw fault(.referencedROINumber, "names no region")
      }
      guard label > 0 else { continue }
      for (slice, mask) in try masks(item.items(.contourSequence), of: region, on: grid) {
        for pixel in mask.indices where mask[pixel] {
          guard volume[slice * size + pixel] == 0 else {
            throw .regionsOverlap(file: path, region: region)
          }
          volume[slice * size + pixel] = label
        }
      }
    }
    return volume
  }

  // MARK: Contours

  /// The pixels within the contours of a region, by slice.
  private func masks(
    _ contours: [Dataset], of region: Int, on grid: VolumeGrid
  ) throws(SegmentationLabelsError) -> [Int: [Bool]] {
    var masks: [Int: [Bool]] = [:]
    for (index, contour) in contours.enumerated() {
      let (slice, points) = try place(contour, index + 1, region, on: grid)
      var mask =
        masks.removeValue(forKey: slice)
        ?? [Bool](repeating: false, count: grid.rows * grid.columns)
      for (row, crossings) in PolygonRows.crossings(points)
      where (0..<grid.rows).contains(row) {
        for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
          let first = max(0, Int(crossings[pair].rounded(.up)))
          let end = min(grid.columns, Int(crossings[pair + 1].rounded(.up)))
          for column in first..<max(first, end) { mask[row * grid.columns + column].toggle() }
        }
      }
      masks[slice] = mask
    }
    return masks
  }

  /// The slice that a contour is on, and its points in columns and rows.
  private func place(
    _ contour: Dataset, _ number: Int, _ region: Int, on grid: VolumeGrid
  ) throws(SegmentationLabelsError) -> (slice: Int, points: [SIMD2<Double>]) {
    let affine = grid.affine
    func along(_ axis: SIMD3<Double>, _ point: SIMD3<Double>) -> Double {
      ((point - affine.origin) * axis).sum() / (axis * axis).sum()
    }
    let points = try self.points(of: contour, number, region)
    let slice = points.first.map { along(affine.slice, $0).rounded() } ?? 0
    // Programs round coordinates: to a twentieth of a step, or a tenth of a millimetre where slices are thin.
    let step = (affine.slice * affine.slice).sum().squareRoot()
    let tolerance = max(0.05, min(0.25, 0.1 / step))
    var pixels: [SIMD2<Double>] = []
    pixels.reserveCapacity(points.count)
    for point in points {
      guard abs(along(affine.slice, point) - slice) <= tolerance else {
        throw .contour(
          file: path, region: region, contour: number, reason: "is not on the plane of an image")
      }
      let pixel = SIMD2(along(affine.column, point), along(affine.row, point))
      // A pixel beyond the border is drawing; more is not of these images.
      guard (-1.5...Double(grid.columns) + 0.5).contains(pixel.x),
        (-1.5...Double(grid.rows) + 0.5).contains(pixel.y)
      else {
        throw .contour(
          file: path, region: region, contour: number, reason: "reaches beyond the images")
      }
      pixels.append(pixel)
    }
    guard slice >= 0, slice < Double(grid.slices) else {
      throw .contour(
        file: path, region: region, contour: number, reason: "is above or below the images")
    }
    return (Int(slice), pixels)
  }

  /// The points of a closed contour, in mm.
  private func points(
    of contour: Dataset, _ number: Int, _ region: Int
  ) throws(SegmentationLabelsError) -> [SIMD3<Double>] {
    func fault(_ reason: String) -> SegmentationLabelsError {
      .contour(file: path, region: region, contour: number, reason: reason)
    }
    let type = contour.text(.contourGeometricType) ?? ""
    guard ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"].contains(type) else {
      throw fault(
        "is \(type.isEmpty ? "of no type" : String(type.prefix(16))), and encloses nothing")
    }
    let numbers = contour.reals(.contourData)
    guard !numbers.isEmpty, numbers.count % 3 == 0,
      contour.integer(.numberOfContourPoints).map({ $0 == numbers.count / 3 }) ?? true
    else { throw fault("does not have as many points as it says") }
    return stride(from: 0, to: numbers.count, by: 3).map {
      SIMD3(numbers[$0], numbers[$0 + 1], numbers[$0 + 2])
    }
  }

  private func fault(_ tag: Tag, _ reason: String) -> SegmentationLabelsError {
    .attribute(file: path, tag: tag, frame: nil, reason: reason)
  }
}
