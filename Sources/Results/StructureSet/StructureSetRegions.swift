import DICOM
import Foundation
import Volumes

/// The regions of a structure set (PS3.3 A.19) of any origin, and what their closed contours enclose.
///
/// A voxel is in a region where its centre is within an odd number of edges of the region's contours on its plane. So
/// holes are left out, whether a channel joins them to the outline (the keyhole of PS3.3 C.8.8.6.3) or they are
/// contours of their own.
struct StructureSetRegions {
  /// Of Contour Data (3006,0050) of one contour: a few hundred thousand points. Numbers take many times as much memory.
  private static let mostBytes = 4 << 20

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
  ///   - grid: on whose planes the contours are, whichever axis is their normal.
  ///   - labels: of the regions by their number; 0 leaves one out.
  func labels(
    on grid: VolumeGrid, _ labels: [Int: UInt8]
  ) throws(SegmentationLabelsError) -> [UInt8] {
    var volume = [UInt8](repeating: 0, count: grid.voxelCount)
    var planes: ContourPlanes?
    for item in dataset.items(.roiContourSequence) {
      guard let region = item.integer(.referencedROINumber), let label = labels[region] else {
        throw fault(.referencedROINumber, "names no region")
      }
      let contours = item.items(.contourSequence)
      guard label > 0, let largest = Self.largest(of: contours) else { continue }
      if planes == nil {
        let points = try self.points(of: contours[largest], largest + 1, region)
        planes = ContourPlanes(of: grid, through: points)
      }
      guard let planes else { continue }
      for (plane, mask) in try masks(contours, of: region, on: planes) {
        for pixel in mask.indices where mask[pixel] {
          let voxel = planes.voxel(pixel, ofPlane: plane)
          guard volume[voxel] == 0 else {
            throw .regionsOverlap(file: path, region: region)
          }
          volume[voxel] = label
        }
      }
    }
    return volume
  }

  // MARK: Contours

  /// The contour with the most points, which shows best how its plane runs.
  private static func largest(of contours: [Dataset]) -> Int? {
    let counts = contours.map { $0.integer(.numberOfContourPoints) ?? 0 }
    return counts.indices.max { counts[$0] < counts[$1] }
  }

  /// The pixels within the contours of a region, by plane.
  private func masks(
    _ contours: [Dataset], of region: Int, on planes: ContourPlanes
  ) throws(SegmentationLabelsError) -> [Int: [Bool]] {
    var masks: [Int: [Bool]] = [:]
    for (index, contour) in contours.enumerated() {
      let points = try self.points(of: contour, index + 1, region)
      let placed: (plane: Int, points: [SIMD2<Double>])
      do { placed = try planes.place(points) } catch {
        throw .contour(file: path, region: region, contour: index + 1, reason: error.reason)
      }
      planes.toggle(
        placed.points,
        in: &masks[placed.plane, default: [Bool](repeating: false, count: planes.pixelCount)])
    }
    return masks
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
    guard Self.size(contour[.contourData]) <= Self.mostBytes else {
      throw fault("has more points than are read")
    }
    let numbers = contour.reals(.contourData)
    guard !numbers.isEmpty, numbers.count % 3 == 0,
      contour.integer(.numberOfContourPoints).map({ $0 == numbers.count / 3 }) ?? true
    else { throw fault("does not have as many points as it says") }
    return stride(from: 0, to: numbers.count, by: 3).map {
      SIMD3(numbers[$0], numbers[$0 + 1], numbers[$0 + 2])
    }
  }

  private static func size(_ element: DataElement?) -> Int {
    switch element?.value {
    case .text(let bytes), .bytes(let bytes): bytes.count
    default: 0
    }
  }

  private func fault(_ tag: Tag, _ reason: String) -> SegmentationLabelsError {
    .attribute(file: path, tag: tag, frame: nil, reason: reason)
  }
}
