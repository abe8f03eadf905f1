import DICOM
import Terminology
import Volumes

/// The proof of the contours: filled again, pixel by pixel, they are the labels.
///
/// A pixel is in a region where its centre is within an odd number of edges of one contour, and in that contour
/// alone, so that readers that combine contours by union and by exclusion give the same.
struct ContourProof {
  private let written: WrittenObject
  private let labels: LabelVolume
  private let regions: [SegmentDescription]
  /// By the image that a contour refers to.
  private var planes: [ContourPlane.Image: ContourPlane] = [:]

  init(
    _ written: WrittenObject, _ object: StructureSet, regions: [SegmentDescription],
    source: SourceRecord
  ) throws(ProofError) {
    self.written = written
    labels = object.labels
    self.regions = regions
    for (slice, frame) in object.stack.frames.enumerated() {
      guard let plane = ContourPlane(frame, slice: slice, source) else {
        throw written.differs(.imagePosition, "of a source image is no plane")
      }
      planes[ContourPlane.Image(frame)] = plane
    }
  }

  /// - Throws: ``ProofError`` where a contour is not on an image, or a voxel differs.
  func prove() throws(ProofError) {
    var difference = Difference()
    for (region, item) in zip(regions, written.dataset.items(.roiContourSequence)) {
      var contours: [Int: [Contour]] = [:]
      for (index, contour) in item.items(.contourSequence).enumerated() {
        let placed = try self.contour(contour, number: index + 1)
        contours[placed.slice, default: []].append(placed)
      }
      try compare(contours, region, &difference)
    }
    guard let first = difference.first else { return }
    throw .voxels(
      file: written.path, slice: first.slice, row: first.pixel / labels.grid.columns,
      column: first.pixel % labels.grid.columns, written: first.written, labels: first.labels,
      count: difference.count)
  }

  private struct Difference {
    var count = 0
    var first: (slice: Int, pixel: Int, written: UInt8, labels: UInt8)?
  }

  private struct Contour {
    var slice: Int
    /// In columns and rows of the image, of whose pixels the centres are whole numbers.
    var points: [SIMD2<Double>]
  }

  /// A contour in the pixels of its image.
  private func contour(_ item: Dataset, number: Int) throws(ProofError) -> Contour {
    try written.expect(
      only: [
        .contourImageSequence, .contourGeometricType, .numberOfContourPoints, .contourNumber,
        .contourData,
      ], in: item)
    try written.expect(
      item.text(.contourGeometricType) == "CLOSED_PLANAR", .contourGeometricType,
      "is not CLOSED_PLANAR")
    try written.expect(
      item.integers(.contourNumber) == [number], .contourNumber, "is not \(number)")
    let image = try ContourPlane.Image(
      try written.item(.contourImageSequence, of: item), written)
    guard let plane = planes[image] else {
      throw written.differs(.contourImageSequence, "names no source image")
    }
    let numbers = item.reals(.contourData)
    try written.expect(
      numbers.count >= 12 && numbers.count % 3 == 0
        && item.integers(.numberOfContourPoints) == [numbers.count / 3], .contourData,
      "is not as many points as it says")
    var points: [SIMD2<Double>] = []
    points.reserveCapacity(numbers.count / 3)
    for index in stride(from: 0, to: numbers.count, by: 3) {
      let point = SIMD3(numbers[index], numbers[index + 1], numbers[index + 2])
      guard let place = plane.pixel(point) else {
        throw written.differs(.contourData, "is not on the plane of its image")
      }
      points.append(place)
    }
    return Contour(slice: plane.slice, points: points)
  }

  private func compare(
    _ contours: [Int: [Contour]], _ region: SegmentDescription, _ difference: inout Difference
  ) throws(ProofError) {
    let (columns, rows) = (labels.grid.columns, labels.grid.rows)
    let isWanted = (0...255).map { region.labels.contains(UInt8($0)) }
    for slice in 0..<labels.grid.slices {
      var found = [Bool](repeating: false, count: columns * rows)
      for contour in contours[slice] ?? [] {
        guard Self.fill(contour.points, columns, rows, in: &found) else {
          throw written.differs(
            .contourData, "overlaps another contour of the region or leaves the image")
        }
      }
      let start = slice * columns * rows
      labels.labels.withUnsafeBufferPointer { voxels in
        found.withUnsafeBufferPointer { found in
          isWanted.withUnsafeBufferPointer { isWanted in
            for pixel in found.indices {
              let wanted = isWanted[Int(voxels[start + pixel])]
              guard found[pixel] != wanted else { continue }
              difference.count += 1
              if difference.first == nil {
                difference.first = (
                  slice, pixel, found[pixel] ? region.value : 0, wanted ? region.value : 0
                )
              }
            }
          }
        }
      }
    }
  }

  /// Marks the pixels whose centres are within a polygon, row by row.
  ///
  /// - Returns: whether all of them are in the image, and none was marked before.
  private static func fill(
    _ points: [SIMD2<Double>], _ columns: Int, _ rows: Int, in found: inout [Bool]
  ) -> Bool {
    var crossings: [Int: [Double]] = [:]
    var from = points[points.count - 1]
    for to in points {
      let (low, high) = from.y < to.y ? (from, to) : (to, from)
      // Rows whose centres are between its ends.
      var row = low.y.rounded(.up)
      while row < high.y {
        let share = (row - low.y) / (high.y - low.y)
        crossings[Int(row), default: []].append(low.x + share * (high.x - low.x))
        row += 1
      }
      from = to
    }
    for (row, places) in crossings {
      guard (0..<rows).contains(row), places.count % 2 == 0 else { return false }
      let sorted = places.sorted()
      for pair in stride(from: 0, to: sorted.count, by: 2) {
        var column = Int(sorted[pair].rounded(.up))
        while Double(column) < sorted[pair + 1] {
          guard (0..<columns).contains(column), !found[row * columns + column] else {
            return false
          }
          found[row * columns + column] = true
          column += 1
        }
      }
    }
    return true
  }
}

/// The plane of a source image, as its file places it.
struct ContourPlane {
  /// What a contour refers to.
  struct Image: Hashable {
    private let sopClassUID: String
    private let sopInstanceUID: String
    private let frameNumber: Int?

    init(_ frame: ImageFrame) {
      sopClassUID = frame.sopClassUID
      sopInstanceUID = frame.sopInstanceUID
      frameNumber = frame.frameNumber
    }

    /// - Throws: ``ProofError`` where the item has anything else.
    init(_ item: Dataset, _ written: WrittenObject) throws(ProofError) {
      sopClassUID = item.text(.referencedSOPClassUID) ?? ""
      sopInstanceUID = item.text(.referencedSOPInstanceUID) ?? ""
      frameNumber = item.integer(.referencedFrameNumber)
      var tags: Set<Tag> = [.referencedSOPClassUID, .referencedSOPInstanceUID]
      if frameNumber != nil { tags.insert(.referencedFrameNumber) }
      try written.expect(only: tags, in: item)
    }
  }

  let slice: Int
  private let origin: SIMD3<Double>
  /// Steps in mm from one column, and from one row, to the next.
  private let across: SIMD3<Double>
  private let down: SIMD3<Double>
  private let normal: SIMD3<Double>

  /// - Returns: nil where the image states no plane.
  init?(_ frame: ImageFrame, slice: Int, _ source: SourceRecord) {
    // Frames of one file differ; what they state was read when the series was assessed.
    func numbers(_ tag: Tag, _ assessed: [Double]) -> [Double] {
      frame.frameNumber == nil ? source.numbers(tag, of: frame.file) ?? assessed : assessed
    }
    let position = numbers(.imagePosition, frame.imagePosition)
    let cosines = numbers(.imageOrientation, frame.imageOrientation)
    let spacing = numbers(.pixelSpacing, frame.pixelSpacing)
    guard position.count == 3, cosines.count == 6, spacing.count == 2 else { return nil }
    self.slice = slice
    origin = SIMD3(position[0], position[1], position[2])
    across = SIMD3(cosines[0], cosines[1], cosines[2]) * spacing[1]
    down = SIMD3(cosines[3], cosines[4], cosines[5]) * spacing[0]
    let product = SIMD3(
      across.y * down.z - across.z * down.y, across.z * down.x - across.x * down.z,
      across.x * down.y - across.y * down.x)
    let length = (product * product).sum().squareRoot()
    guard length > 0 else { return nil }
    normal = product / length
  }

  /// Column and row of a point in the patient; nil where it is off the plane.
  func pixel(_ point: SIMD3<Double>) -> SIMD2<Double>? {
    let way = point - origin
    guard abs((way * normal).sum()) < 1e-3 else { return nil }
    // The directions need not be quite perpendicular.
    let (aa, ab, bb) = (
      (across * across).sum(), (across * down).sum(), (down * down).sum()
    )
    let (a, b) = ((way * across).sum(), (way * down).sum())
    let determinant = aa * bb - ab * ab
    guard determinant > 0 else { return nil }
    let place = SIMD2((a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant)
    return place.x.isFinite && place.y.isFinite ? place : nil
  }
}
