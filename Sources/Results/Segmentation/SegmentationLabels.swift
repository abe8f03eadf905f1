import DICOM
import Foundation
import Terminology
import Volumes
import Wording

/// Why a segmentation object does not give labels on a grid.
public enum SegmentationLabelsError: Error, Equatable, Sendable, CustomStringConvertible {
  case unreadable(DICOMError)
  /// An attribute is absent or unusable.
  case attribute(file: String, tag: Tag, frame: Int?, reason: String)
  /// A frame's pixels are not on the voxels of the grid.
  case offGrid(file: String, frame: Int)
  case overlap(file: String, frame: Int)
  /// A pixel of a label map is of no segment.
  case unknownSegment(file: String, frame: Int, number: Int)
  /// A contour of a structure set encloses no pixels of the grid; both numbers as the object gives or counts them.
  case contour(file: String, region: Int, contour: Int, reason: String)
  /// A region of a structure set shares voxels with another.
  case regionsOverlap(file: String, region: Int)

  /// Whether segments can be read one by one, and not all at once.
  public var isOverlap: Bool {
    switch self {
    case .overlap, .regionsOverlap: true
    default: false
    }
  }

  public var description: String {
    switch self {
    case .unreadable(let error): error.description
    case .attribute(let file, let tag, let frame, let reason):
      "\(file): \(tag)\(frame.map { " of frame \($0)" } ?? ""): \(reason)"
    case .offGrid(let file, let frame):
      "\(file): \(Tag.imagePosition) of frame \(frame): its pixels are not on the voxels of "
        + "the known labels"
    case .overlap(let file, let frame):
      "\(file): frame \(frame) overlaps another segment, so that a voxel has two labels"
    case .unknownSegment(let file, let frame, let number):
      "\(file): a pixel of frame \(frame) is \(number), which is the number of no segment"
    case .contour(let file, let region, let contour, let reason):
      "\(file): \(Tag.contourData): contour \(contour) of region \(region) \(reason)"
    case .regionsOverlap(let file, let region):
      "\(file): \(Tag.contourData): region \(region) overlaps another, so that a voxel has two labels"
    }
  }
}

/// Reads binary segmentation objects and label maps (PS3.3 C.8.20), and structure sets (PS3.3 A.19), of any origin as
/// labels. The regions of a structure set are its segments.
public enum SegmentationLabels {
  /// A segment as the object describes it (Segment Sequence (0062,0002)), or a region of a structure set (Structure Set
  /// ROI Sequence (3006,0020)).
  public struct Segment: Sendable, Equatable {
    public var number: Int
    public var name: String
    /// Segmented Property Type, or RT ROI Identification Code, and its modifier.
    public var type: Code?
    public var modifier: Code?
    /// Of its frames or contours; nil where the object names none.
    public var frameOfReferenceUID: String?
    /// Whether it is a region of a structure set, of which a name may be all that is known.
    public var isRegion = false

    /// Whether it has a name, but for capitals and what separates words.
    public func isNamed(_ other: String) -> Bool {
      func letters(_ name: String) -> String {
        name.lowercased().filter { $0.isLetter || $0.isNumber }
      }
      return !letters(name).isEmpty && letters(name) == letters(other)
    }
  }

  /// A code, which means something in its scheme alone (PS3.3 8.2).
  public struct Code: Sendable, Equatable {
    public var value: String
    /// Coding Scheme Designator; of SNOMED RT the present one of those that it had (PS3.16 8.1).
    public var scheme: String

    public init(value: String, scheme: String) {
      self.value = value
      self.scheme = ["SNM3", "99SDM"].contains(scheme) ? "SRT" : scheme
    }

    public init(_ concept: CodedConcept) {
      self.init(value: concept.value, scheme: concept.scheme)
    }

    /// - Returns: nil where the item has no code.
    init?(_ item: Dataset?) {
      guard let value = item?.text(.codeValue), !value.isEmpty else { return nil }
      self.init(value: value, scheme: item?.text(.codingSchemeDesignator) ?? "")
    }
  }

  /// The labels on a grid, by the place of each frame in the patient (Image Position and Image
  /// Orientation (Patient), Pixel Spacing): the source images are not needed. Voxels that no frame
  /// covers are background.
  ///
  /// - Parameters:
  ///   - path: of the object.
  ///   - grid: the grid that the labels are wanted on.
  ///   - label: the label of a segment; nil leaves it out.
  /// - Throws: ``SegmentationLabelsError``.
  public static func read(
    _ path: String, onto grid: VolumeGrid, label: (Segment) -> UInt8?
  ) throws(SegmentationLabelsError) -> LabelVolume {
    let dataset: Dataset
    let pixels: [UInt8]?
    do { (dataset, pixels) = try DICOMFile.withAnyNativePixels(path: path) } catch {
      throw .unreadable(error)
    }
    var labels: [Int: UInt8] = [:]
    for segment in try segments(of: dataset, path: path) {
      labels[segment.number] = label(segment) ?? 0
    }
    guard let pixels else {
      let regions = try StructureSetRegions(dataset, path: path)
      return LabelVolume(grid: grid, labels: try regions.labels(on: grid, labels))
    }
    let reader = try Reader(dataset, pixels, path: path, grid: grid)
    return LabelVolume(grid: grid, labels: try reader.labels(labels))
  }
}

extension SegmentationLabels {
  /// What the object describes, also where it has no frame of it.
  ///
  /// - Throws: ``SegmentationLabelsError``.
  public static func segments(of path: String) throws(SegmentationLabelsError) -> [Segment] {
    let dataset: Dataset
    do { dataset = try DICOMFile(path: path).dataset } catch { throw .unreadable(error) }
    return try segments(of: dataset, path: path)
  }

  fileprivate static func segments(
    of dataset: Dataset, path: String
  ) throws(SegmentationLabelsError) -> [Segment] {
    if StructureSetRegions.describes(dataset) {
      return try StructureSetRegions(dataset, path: path).segments()
    }
    var segments: [Segment] = []
    for item in dataset.items(.segmentSequence) {
      guard let number = item.integer(.segmentNumber) else {
        throw .attribute(file: path, tag: .segmentNumber, frame: nil, reason: "is absent")
      }
      let type = item.items(.segmentedPropertyTypeCodeSequence).first
      let modifier = type?.items(.segmentedPropertyTypeModifierCodeSequence).first
      segments.append(
        Segment(
          number: number, name: item.text(.segmentLabel) ?? "", type: Code(type),
          modifier: Code(modifier), frameOfReferenceUID: dataset.text(.frameOfReferenceUID)))
    }
    return segments
  }
}

private struct Reader {
  let path: String
  let grid: VolumeGrid
  let dataset: Dataset
  let pixels: [UInt8]
  let rows: Int
  let columns: Int
  /// Bits of a pixel: 1 of binary frames, 8 or 16 of a label map's.
  private let bits: Int
  private var isLabelMap: Bool { bits > 1 }

  init(
    _ dataset: Dataset, _ pixels: [UInt8], path: String, grid: VolumeGrid
  ) throws(SegmentationLabelsError) {
    self.path = path
    self.grid = grid
    self.dataset = dataset
    self.pixels = pixels
    rows = dataset.integer(.rows) ?? 0
    columns = dataset.integer(.columns) ?? 0
    bits = dataset.integer(.bitsAllocated) ?? 0
    let known: [Int]
    switch (dataset.text(.sopClassUID), dataset.text(.segmentationType)) {
    case (SegmentationStorage.sopClassUID, "BINARY"): known = [1]
    case (SegmentationStorage.labelMapSOPClassUID, "LABELMAP"): known = [8, 16]
    default:
      throw .attribute(
        file: path, tag: .segmentationType, frame: nil,
        reason: "is neither a binary segmentation nor a label map")
    }
    let frames = dataset.items(.perFrameFunctionalGroups).count
    guard (1...65_535).contains(rows), (1...65_535).contains(columns), known.contains(bits),
      pixels.count >= (rows * columns * frames * bits + 7) / 8
    else {
      throw .attribute(
        file: path, tag: .pixelData, frame: nil,
        reason:
          "\(counted(pixels.count, "byte")) for \(counted(frames, "frame")) of \(rows)×\(columns) pixels"
      )
    }
  }

  func labels(_ labelOfSegment: [Int: UInt8]) throws(SegmentationLabelsError) -> [UInt8] {
    var volume = [UInt8](repeating: 0, count: grid.voxelCount)
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      if isLabelMap {
        try placeLabels(index, try walk(frame, index), labelOfSegment, &volume)
        continue
      }
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      guard let number, let label = labelOfSegment[number] else {
        throw .attribute(
          file: path, tag: .referencedSegmentNumber, frame: index + 1, reason: "names no segment")
      }
      if label > 0 { try place(index, try walk(frame, index), label, &volume) }
    }
    return volume
  }

  /// Index in the grid of a frame's first pixel, and its steps along a row and down a column.
  private typealias Walk = (start: SIMD3<Int>, across: SIMD3<Int>, down: SIMD3<Int>)

  private func walk(_ frame: Dataset, _ index: Int) throws(SegmentationLabelsError) -> Walk {
    let shared = dataset.items(.sharedFunctionalGroups).first ?? Dataset()
    func reals(_ sequence: Tag, _ tag: Tag, _ count: Int) throws(SegmentationLabelsError)
      -> [Double]
    {
      let item = frame.items(sequence).first ?? shared.items(sequence).first
      guard let values = item?.reals(tag), values.count == count else {
        throw .attribute(
          file: path, tag: tag, frame: index + 1, reason: "is not \(count) numbers")
      }
      return values
    }
    let position = try reals(.planePositionSequence, .imagePosition, 3)
    let cosines = try reals(.planeOrientationSequence, .imageOrientation, 6)
    let spacing = try reals(.pixelMeasuresSequence, .pixelSpacing, 2)
    let origin = SIMD3(position[0], position[1], position[2])
    let row = SIMD3(cosines[0], cosines[1], cosines[2]) * spacing[1]
    let column = SIMD3(cosines[3], cosines[4], cosines[5]) * spacing[0]
    let (width, height) = (Double(columns - 1), Double(rows - 1))
    guard let start = voxel(origin), let right = voxel(origin + width * row),
      let below = voxel(origin + height * column)
    else { throw .offGrid(file: path, frame: index + 1) }
    func step(_ end: SIMD3<Int>, _ count: Int) -> SIMD3<Int>? {
      let difference = end &- start
      let step = count > 0 ? difference / SIMD3(repeating: count) : SIMD3(repeating: 0)
      return step &* SIMD3(repeating: count) == difference ? step : nil
    }
    guard let across = step(right, columns - 1), let down = step(below, rows - 1) else {
      throw .offGrid(file: path, frame: index + 1)
    }
    return (start, across, down)
  }

  /// The voxel whose centre a point is, which may be outside the grid; nil between voxels.
  private func voxel(_ point: SIMD3<Double>) -> SIMD3<Int>? {
    let affine = grid.affine
    let offset = point - affine.origin
    var index = SIMD3<Int>(repeating: 0)
    for (axis, step) in [affine.column, affine.row, affine.slice].enumerated() {
      // The grid's axes are perpendicular.
      let place = (offset * step).sum() / (step * step).sum()
      guard place.isFinite, abs(place) < 1e6, abs(place - place.rounded()) < 0.05 else {
        return nil
      }
      index[axis] = Int(place.rounded())
    }
    return index
  }

  private func place(
    _ frame: Int, _ walk: Walk, _ label: UInt8, _ volume: inout [UInt8]
  ) throws(SegmentationLabelsError) {
    for pixel in 0..<rows * columns {
      let bit = frame * rows * columns + pixel
      guard pixels[bit / 8] & (1 << UInt8(bit % 8)) != 0 else { continue }
      try set(pixel, of: frame, walk, label, &volume)
    }
  }

  /// The pixels of a label map are the numbers of segments; 0, and what pads, is background (PS3.3 C.8.20.2.3.3).
  private func placeLabels(
    _ frame: Int, _ walk: Walk, _ labelOfSegment: [Int: UInt8], _ volume: inout [UInt8]
  ) throws(SegmentationLabelsError) {
    let padding = dataset.integer(.pixelPaddingValue) ?? 0
    for pixel in 0..<rows * columns {
      let place = frame * rows * columns + pixel
      let number =
        bits == 8 ? Int(pixels[place]) : Int(pixels[2 * place]) | Int(pixels[2 * place + 1]) << 8
      guard number != 0, number != padding else { continue }
      guard let label = labelOfSegment[number] else {
        throw .unknownSegment(file: path, frame: frame + 1, number: number)
      }
      if label > 0 { try set(pixel, of: frame, walk, label, &volume) }
    }
  }

  private func set(
    _ pixel: Int, of frame: Int, _ walk: Walk, _ label: UInt8, _ volume: inout [UInt8]
  ) throws(SegmentationLabelsError) {
    let size = SIMD3(grid.columns, grid.rows, grid.slices)
    let index =
      walk.start &+ walk.across &* SIMD3(repeating: pixel % columns)
      &+ walk.down &* SIMD3(repeating: pixel / columns)
    guard index.x >= 0, index.y >= 0, index.z >= 0, index.x < size.x, index.y < size.y,
      index.z < size.z
    else { throw .offGrid(file: path, frame: frame + 1) }
    let voxel = (index.z * size.y + index.y) * size.x + index.x
    guard volume[voxel] == 0 else { throw .overlap(file: path, frame: frame + 1) }
    volume[voxel] = label
  }
}
