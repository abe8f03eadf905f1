import DICOM
import Terminology
import Volumes
import Wording

/// The proof across the objects of a result that is divided (``ResultOptions/maximumFrames``): together they have every
/// frame that the labels demand exactly once, and they say of themselves that they are one series of one place.
///
/// What each object says by itself is proved by ``SegmentationObject/prove(_:)``. The objects are read back from disk; what
/// is due follows from the labels and the model, without the division that the writer made.
///
/// ```swift
/// try DividedResultProof(of: whole).prove(paths)
/// ```
public struct DividedResultProof {
  private let whole: SegmentationObject
  private let wanted: WantedFrames

  /// - Parameter whole: the result as a single object would hold it, with all segments.
  public init(of whole: SegmentationObject) {
    self.whole = whole
    wanted = WantedFrames(whole, holding: whole.segments)
  }

  /// What all objects have to say alike.
  private static let shared: [Tag] = [
    .sopClassUID, .modality, .specificCharacterSet, .patientID, .patientName, .studyInstanceUID,
    .seriesInstanceUID, .seriesNumber, .seriesDescription, .seriesDate, .frameOfReferenceUID,
    .positionReferenceIndicator, .segmentationType, .rows, .columns, .deviceSerialNumber,
    .softwareVersions, .sharedFunctionalGroups, .referencedSeriesSequence, .relatedSeriesSequence,
  ]

  /// Of a concatenation (PS3.3 C.7.6.16.2.2.4), which is one object in several instances: ours are objects of their own.
  private static let concatenation = [
    Tag(0x0020, 0x0242), Tag(0x0020, 0x9161), Tag(0x0020, 0x9162), Tag(0x0020, 0x9163),
    Tag(0x0020, 0x9228),
  ]

  /// - Parameter paths: of all objects of the result, in the order of their Instance Numbers.
  /// - Throws: ``ProofError`` at the first thing that differs.
  public func prove(_ paths: [String]) throws(ProofError) {
    var seen = Seen()
    for path in paths {
      let part = try WrittenObject(path)
      try proveSeries(part, &seen)
      try proveFrames(part, try segments(of: part, &seen), &seen)
    }
    let last = paths.last ?? ""
    guard seen.segments == wanted.segments.count else {
      throw .differs(
        file: last, tag: .segmentSequence, frame: nil,
        reason: "\(counted(seen.segments, "segment")) in \(counted(paths.count, "object")) where "
          + "\(counted(wanted.segments.count, "is", "are")) due")
    }
    for frame in wanted.frames {
      let place = Place(segment: frame.segment, slice: frame.slice)
      let count = seen.frames.removeValue(forKey: place) ?? 0
      guard count == 1 else { throw differs(place, count, last) }
    }
    if let (place, count) = seen.frames.first { throw differs(place, count, last) }
  }

  private func differs(_ place: Place, _ count: Int, _ path: String) -> ProofError {
    .differs(
      file: path, tag: .perFrameFunctionalGroups, frame: nil,
      reason:
        "the objects have \(counted(count, "frame")) of segment \(place.segment + 1) of the result on slice "
        + "\(place.slice + 1)")
  }

  // MARK: One object after the other

  private struct Place: Hashable {
    var segment: Int
    var slice: Int
  }

  /// What the objects before had.
  private struct Seen {
    var shared: [Tag: DataElement] = [:]
    var first: Int?
    var objects = 0
    var instances: Set<String> = []
    var segments = 0
    var frames: [Place: Int] = [:]
    var slices: [[Double]: Int] = [:]
  }

  private func proveSeries(_ part: WrittenObject, _ seen: inout Seen) throws(ProofError) {
    for tag in Self.concatenation {
      try part.expect(!part.dataset.contains(tag), tag, "is not expected")
    }
    let number = part.dataset.integer(.instanceNumber)
    if seen.objects == 0 {
      seen.first = number
      for tag in Self.shared { seen.shared[tag] = part.dataset[tag] }
    }
    for tag in Self.shared {
      try part.expect(
        part.dataset[tag] == seen.shared[tag], tag, "is not that of the result's first object")
    }
    try part.expect(
      number != nil && number == seen.first.map { $0 + seen.objects }, .instanceNumber,
      "does not follow that of the object before")
    let uid = part.dataset.text(.sopInstanceUID) ?? ""
    try part.expect(
      seen.instances.insert(uid).inserted, .sopInstanceUID,
      "is that of another object of the result")
    seen.objects += 1
  }

  /// - Returns: the segments of the result, from 0, by their numbers in the object.
  private func segments(
    of part: WrittenObject, _ seen: inout Seen
  ) throws(ProofError) -> [Int: Int] {
    var found: [Int: Int] = [:]
    for item in part.dataset.items(.segmentSequence) {
      try part.expect(
        seen.segments < wanted.segments.count
          && isDescription(item, of: wanted.segments[seen.segments], part), .segmentSequence,
        "has a segment that is another object's, or is out of its order")
      if let number = item.integer(.segmentNumber) { found[number] = seen.segments }
      seen.segments += 1
    }
    return found
  }

  private func isDescription(
    _ item: Dataset, of segment: SegmentDescription, _ part: WrittenObject
  ) -> Bool {
    let type = item.items(.segmentedPropertyTypeCodeSequence).first ?? Dataset()
    let modifier = type.items(.segmentedPropertyTypeModifierCodeSequence).first
    return part.says(segment.name, .segmentLabel, in: item, length: 64)
      && type.text(.codeValue) == segment.type.value
      && modifier?.text(.codeValue) == segment.modifier?.value
  }

  private func proveFrames(
    _ part: WrittenObject, _ segments: [Int: Int], _ seen: inout Seen
  ) throws(ProofError) {
    for (index, frame) in part.dataset.items(.perFrameFunctionalGroups).enumerated() {
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      guard let segment = number.flatMap({ segments[$0] }) else {
        throw part.differs(.referencedSegmentNumber, "names no segment of the object", frame: index)
      }
      let position =
        frame.items(.planePositionSequence).first?.reals(.imagePosition) ?? []
      guard let slice = seen.slices[position] ?? self.slice(at: position) else {
        throw part.differs(.imagePosition, "is that of no source image", frame: index)
      }
      seen.slices[position] = slice
      seen.frames[Place(segment: segment, slice: slice), default: 0] += 1
    }
  }

  /// The source image at a place; positions are written in sixteen characters.
  private func slice(at position: [Double]) -> Int? {
    whole.stack.frames.firstIndex { image in
      position.count == 3 && image.imagePosition.count == 3
        && zip(position, image.imagePosition).allSatisfy { abs($0 - $1) < 1e-4 }
    }
  }
}
