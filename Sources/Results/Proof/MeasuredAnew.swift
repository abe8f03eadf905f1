import DICOM
import Foundation
import Volumes

/// What is measured in the segments of an object as it is on disk, with the values of the source images as
/// they are on disk. Nothing is shared with what measured them before: voxel by voxel, where the object says
/// they are.
struct MeasuredAnew {
  /// The segments of the object, by number from 1.
  private(set) var regions: [Region] = []
  /// Tracking ID (0062,0020) and Tracking UID (0062,0021) of each segment.
  private(set) var tracking: [(id: String, uid: String)] = []

  /// Sums over the voxels of a segment.
  struct Region {
    fileprivate(set) var voxels = 0
    fileprivate(set) var cubicMillimetres = 0.0
    /// The first value, from which the others are counted.
    fileprivate var start = 0.0
    fileprivate var sum = 0.0
    fileprivate var sumOfSquares = 0.0
    fileprivate var reference = SIMD3<Double>.zero
    fileprivate var weight = 0.0
    fileprivate var first = SIMD3<Double>.zero
    /// xx, yy, zz and xy, xz, yz.
    fileprivate var squares = SIMD3<Double>.zero
    fileprivate var mixed = SIMD3<Double>.zero

    var mean: Double { start + sum / Double(voxels) }
    var variance: Double {
      let mean = sum / Double(voxels)
      return max(0, sumOfSquares / Double(voxels) - mean * mean)
    }

    fileprivate mutating func add(_ value: Double, at point: SIMD3<Double>, weight: Double) {
      if voxels == 0 { (start, reference) = (value, point) }
      voxels += 1
      sum += value - start
      sumOfSquares += (value - start) * (value - start)
      let way = point - reference
      self.weight += weight
      first += weight * way
      squares += weight * way * way
      mixed += weight * SIMD3(way.x * way.y, way.x * way.z, way.y * way.z)
    }

    /// Whether the length of an axis is right: counts the eigenvalues of the covariance below its bounds, by
    /// the signs of the pivots (Sylvester's law of inertia).
    ///
    /// - Parameters:
    ///   - length: in mm.
    ///   - rank: 0 for the longest.
    func isLength(_ length: Double, ofAxis rank: Int) -> Bool {
      let slack = 1e-3 + 1e-4 * length
      let (low, high) = (max(0, length - slack) / 4, (length + slack) / 4)
      return eigenvalues(below: high * high) >= 3 - rank
        && (low == 0 || eigenvalues(below: low * low) <= 2 - rank)
    }

    private func eigenvalues(below bound: Double) -> Int {
      let middle = first / weight
      let own = squares / weight - middle * middle
      let others =
        mixed / weight
        - SIMD3(middle.x * middle.y, middle.x * middle.z, middle.y * middle.z)
      let tiny = 1e-30
      let nonzero = { (pivot: Double) in abs(pivot) < tiny ? -tiny : pivot }
      let a = nonzero(own.x - bound)
      let b = nonzero(own.y - bound - others.x * others.x / a)
      let rest = others.z - others.x * others.y / a
      let c = own.z - bound - others.y * others.y / a - rest * rest / b
      return [a, b, c].count { $0 < 0 }
    }
  }

  /// - Parameters:
  ///   - segmentation: whose object is read again.
  ///   - report: the object whose proof it is for.
  /// - Throws: ``ProofError`` where a file cannot be read, or the object is not the one that is meant.
  init(_ segmentation: MeasuredSegmentation, for report: WrittenObject) throws(ProofError) {
    let object = try WrittenObject(segmentation.path)
    let dataset = object.dataset
    guard let pixels = object.pixels else { throw object.differs(.pixelData, "is absent") }
    try object.expect(
      dataset.text(.sopInstanceUID) == segmentation.identifiers.sopInstanceUID,
      .sopInstanceUID, "is not that of the measured object")
    for item in dataset.items(.segmentSequence) {
      tracking.append((item.text(.trackingID) ?? "", item.text(.trackingUID) ?? ""))
    }
    regions = tracking.map { _ in Region() }
    let places = try FramePlaces(object, segmentation.stack)
    let reader: NativePixels.Reader
    do { reader = try pixels.open() } catch { throw .unreadable(error) }
    for (slice, frames) in places.framesOfSlice.sorted(by: { $0.key < $1.key }) {
      let values = try Self.values(segmentation.stack, slice)
      for frame in frames {
        let bits: Data
        do { bits = try reader.read(places.bytes(of: frame.index)) } catch {
          throw .unreadable(error)
        }
        add(bits, of: frame, values, places, depth: places.depths[slice])
      }
    }
    for index in regions.indices {
      regions[index].cubicMillimetres = regions[index].weight * places.area
    }
  }

  private mutating func add(
    _ bits: Data, of frame: FramePlaces.Frame, _ values: [Float], _ places: FramePlaces,
    depth: Double
  ) {
    let start = frame.index * places.plane % 8
    bits.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
      for pixel in 0..<places.plane {
        let bit = start + pixel
        guard bytes[bit / 8] >> UInt8(bit % 8) & 1 == 1 else { continue }
        let point =
          frame.position + Double(pixel % places.columns) * places.alongRow
          + Double(pixel / places.columns) * places.alongColumn
        regions[frame.segment - 1].add(Double(values[pixel]), at: point, weight: depth)
      }
    }
  }

  /// The values of one source image.
  private static func values(
    _ stack: SliceStack, _ slice: Int
  ) throws(ProofError) -> [Float] {
    let frame = stack.frames[slice]
    var image = SliceStack(grid: stack.sourceGrid, frames: [frame])
    image.grid.slices = 1
    do throws(DICOMError) {
      return try PixelReader.read(image) { $0 == frame.sopInstanceUID ? frame.file : nil }.voxels
    } catch { throw .unreadable(error) }
  }
}

/// Where the frames of a segmentation object are, as it says itself.
private struct FramePlaces {
  struct Frame {
    var index: Int
    /// From 1.
    var segment: Int
    var position: SIMD3<Double>
  }

  let columns: Int
  let plane: Int
  /// Steps in mm from one column, and from one row, to the next.
  let alongRow: SIMD3<Double>
  let alongColumn: SIMD3<Double>
  private(set) var framesOfSlice: [Int: [Frame]] = [:]
  /// How far each source image reaches along the normal, in mm.
  private(set) var depths: [Double] = []

  /// Of a pixel, in mm².
  var area: Double {
    (alongRow * alongRow).sum().squareRoot() * (alongColumn * alongColumn).sum().squareRoot()
  }

  private static func direction(_ x: Double, _ y: Double, _ z: Double) -> SIMD3<Double> {
    let vector = SIMD3(x, y, z)
    return vector / (vector * vector).sum().squareRoot()
  }

  init(_ object: WrittenObject, _ stack: SliceStack) throws(ProofError) {
    let dataset = object.dataset
    let shared = try object.item(.sharedFunctionalGroups, of: dataset)
    let measures = try object.item(.pixelMeasuresSequence, of: shared)
    let orientation = try object.item(.planeOrientationSequence, of: shared)
    let (spacing, cosines) = (measures.reals(.pixelSpacing), orientation.reals(.imageOrientation))
    try object.expect(spacing.count == 2, .pixelSpacing, "is not two numbers")
    try object.expect(cosines.count == 6, .imageOrientation, "is not six numbers")
    columns = dataset.integer(.columns) ?? 0
    plane = columns * (dataset.integer(.rows) ?? 0)
    // Cosines may be rounded, also to a length that is not 1.
    let (row, column) = (
      Self.direction(cosines[0], cosines[1], cosines[2]),
      Self.direction(cosines[3], cosines[4], cosines[5])
    )
    alongRow = row * spacing[1]
    alongColumn = column * spacing[0]
    let normal = Self.direction(
      row.y * column.z - row.z * column.y, row.z * column.x - row.x * column.z,
      row.x * column.y - row.y * column.x)
    let places = stack.frames.map {
      SIMD3($0.imagePosition[0], $0.imagePosition[1], $0.imagePosition[2])
    }
    depths = Self.depths(places.map { ($0 * normal).sum() }, isEven: stack.sliceIndices == nil)
    if places.count == 1 { depths = [stack.grid.affine.stepAlongNormal] }
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      let point = try object.item(.planePositionSequence, of: frame, frame: index)
        .reals(.imagePosition)
      let number = try object.item(.segmentIdentificationSequence, of: frame, frame: index)
        .integer(.referencedSegmentNumber)
      try object.expect(point.count == 3, .imagePosition, "is not three numbers", frame: index)
      let position = SIMD3(point[0], point[1], point[2])
      let slice = places.indices.min {
        ((places[$0] - position) * (places[$0] - position)).sum()
          < ((places[$1] - position) * (places[$1] - position)).sum()
      }
      guard let slice, let number, (1...dataset.items(.segmentSequence).count).contains(number)
      else { throw object.differs(.referencedSegmentNumber, "is no segment", frame: index) }
      framesOfSlice[slice, default: []].append(
        Frame(index: index, segment: number, position: position))
    }
  }

  /// The bytes that hold the bits of a frame.
  func bytes(of frame: Int) -> Range<Int> {
    frame * plane / 8..<((frame + 1) * plane + 7) / 8
  }

  /// Half-way to each neighbour; the same for all where the steps are even.
  private static func depths(_ along: [Double], isEven: Bool) -> [Double] {
    guard along.count > 1 else { return [] }
    let last = along.count - 1
    if isEven {
      return along.map { _ in abs(along[last] - along[0]) / Double(last) }
    }
    return along.indices.map { index in
      let (below, above) = (max(index - 1, 0), min(index + 1, last))
      return abs(along[above] - along[below]) / Double(above - below)
    }
  }
}
