import DICOM
import Terminology
import Volumes

/// Builds the dataset of a structure set.
struct StructureSetBuilder {
  let stack: SliceStack
  let source: SourceImages
  let frames: SegmentFrames
  let labels: LabelVolume
  let origin: ResultOrigin
  let identifiers: ResultIdentifiers

  /// Most contours of an object: the file of one with more has more elements than are read of a file.
  static let mostContours = 150_000

  /// What a structure set is described as, before what is unusual.
  static let notice = "For research use only, not for treatment planning. Made by a neural network."

  private var text: PlainText {
    PlainText(characterSet: source.header.texts(.specificCharacterSet))
  }

  func dataset() throws(SegmentationError) -> Dataset {
    var dataset = Dataset()
    let header = ResultHeader(source: source.header, origin: origin, identifiers: identifiers)
    do throws(UncopiedAttribute) {
      try header.add(
        to: &dataset, sopClassUID: StructureSetStorage.sopClassUID, modality: "RTSTRUCT",
        studyInstanceUID: stack.frames[0].studyInstanceUID,
        kind: "structures")
    } catch { throw .uncopied(error) }
    dataset.addFrameOfReference(of: stack, source: source.header)
    // Of series of this kind it is there, and nobody operated anything (PS3.3 C.8.8.1).
    dataset.set(.operatorsName, .PN, "")
    for (tag, element) in try content().elements { dataset[tag] = element }
    return dataset
  }

  // MARK: Content

  private func content() throws(SegmentationError) -> Dataset {
    var count = 0
    do throws(DICOMError) {
      let content = try StructureSetContent(description)
      try addImages(to: content)
      let boxes = (0..<stack.frames.count).map { LabelBoxes(labels, slice: $0) }
      for (index, segment) in frames.segments.enumerated() {
        try content.addRegion(region(segment, number: index + 1))
        for frame in frames.frames
        where frame.segmentNumber == index + 1 && count <= Self.mostContours {
          count += try addContours(frame, of: segment, within: boxes[frame.slice], to: content)
        }
      }
      if count <= Self.mostContours { return try content.dataset() }
    } catch { throw .dicom(error) }
    throw .inexpressible(
      reason: "the structures have more than \(Self.mostContours) contours, as noise would")
  }

  private var description: StructureSetContent.Description {
    let remarks = [Self.notice] + origin.remarks.map { "Warning: \($0)" }
    let title = [origin.subject, "\(origin.modelName) \(origin.modelVersion)"]
    return StructureSetContent.Description(
      label: text.limited(origin.modelName, to: 16),
      name: text.limited(title.filter { !$0.isEmpty }.joined(separator: ", "), to: 64),
      description: text.limited(remarks.joined(separator: " "), to: 1024),
      date: origin.moment.date, time: origin.moment.time,
      studyInstanceUID: stack.frames[0].studyInstanceUID,
      frameOfReferenceUID: stack.frameOfReferenceUIDOfResult)
  }

  /// All images that made the volume, an item for each of the series that they are of.
  private func addImages(to content: StructureSetContent) throws(DICOMError) {
    var order: [String] = []
    var images: [String: [StructureSetContent.Image]] = [:]
    for frame in stack.frames {
      if images[frame.seriesInstanceUID] == nil { order.append(frame.seriesInstanceUID) }
      images[frame.seriesInstanceUID, default: []].append(StructureSetContent.Image(frame))
    }
    for uid in order { try content.addSeries(uid, images: images[uid] ?? []) }
  }

  private func region(
    _ segment: SegmentDescription, number: Int
  ) -> StructureSetContent.Region {
    StructureSetContent.Region(
      number: number, name: text.limited(segment.name, to: 64),
      label: text.limited(segment.name, to: 16), color: segment.color,
      interpretedType: segment.isAnatomy ? "ORGAN" : "", category: limited(segment.category),
      type: limited(segment.type), modifier: segment.modifier.map(limited))
  }

  private func limited(_ concept: CodedConcept) -> CodedConcept {
    CodedConcept(
      value: text.limited(concept.value, to: 16), scheme: text.limited(concept.scheme, to: 16),
      meaning: text.limited(concept.meaning, to: 64))
  }

  /// - Returns: how many there are.
  private func addContours(
    _ frame: SegmentFrames.Frame, of segment: SegmentDescription, within boxes: LabelBoxes,
    to content: StructureSetContent
  ) throws(DICOMError) -> Int {
    guard let (columns, rows) = boxes.box(of: segment.labels) else { return 0 }
    let image = stack.frames[frame.slice]
    let start = frame.slice * labels.grid.rows * labels.grid.columns
    let width = labels.grid.columns
    let outlines = labels.labels.withUnsafeBufferPointer { voxels in
      frame.holds.withUnsafeBufferPointer { holds in
        PlaneOutlines(columns: columns, rows: rows) { column, row in
          holds[Int(voxels[start + row * width + column])]
        }.polygons
      }
    }
    for polygon in outlines {
      try content.addContour(
        polygon.flatMap { image.point(column: $0.column, row: $0.row) },
        on: StructureSetContent.Image(image))
    }
    return outlines.count
  }
}

extension SegmentDescription {
  /// Whether it is a part of a healthy body: an anatomical structure or a tissue (PS3.16, CID 7150).
  fileprivate var isAnatomy: Bool {
    category.scheme == "SCT" && ["91723000", "123037004", "85756007"].contains(category.value)
  }
}

extension StructureSetContent.Image {
  fileprivate init(_ frame: ImageFrame) {
    self.init(
      sopClassUID: frame.sopClassUID, sopInstanceUID: frame.sopInstanceUID,
      frameNumber: frame.frameNumber)
  }
}

extension ImageFrame {
  /// Where a corner of pixels is in the patient, in mm (PS3.3 C.7.6.2.1.1, whose indices are of centres).
  fileprivate func point(column: Int, row: Int) -> [Double] {
    let right = (Double(column) - 0.5) * pixelSpacing[1]
    let down = (Double(row) - 0.5) * pixelSpacing[0]
    return (0..<3).map {
      imagePosition[$0] + right * imageOrientation[$0] + down * imageOrientation[$0 + 3]
    }
  }
}

/// The columns and rows that each label of a slice is in.
private struct LabelBoxes {
  private var columns = [Range<Int>?](repeating: nil, count: 256)
  private var rows = [Range<Int>?](repeating: nil, count: 256)

  init(_ labels: LabelVolume, slice: Int) {
    let (width, height) = (labels.grid.columns, labels.grid.rows)
    var low = [(Int, Int)](repeating: (width, height), count: 256)
    var high = [(Int, Int)](repeating: (-1, -1), count: 256)
    let start = slice * width * height
    labels.labels.withUnsafeBufferPointer { voxels in
      low.withUnsafeMutableBufferPointer { low in
        high.withUnsafeMutableBufferPointer { high in
          for row in 0..<height {
            for column in 0..<width {
              let label = Int(voxels[start + row * width + column])
              guard label != 0 else { continue }
              low[label] = (min(low[label].0, column), min(low[label].1, row))
              high[label] = (max(high[label].0, column), max(high[label].1, row))
            }
          }
        }
      }
    }
    for label in 1...255 where high[label].0 >= 0 {
      columns[label] = low[label].0..<high[label].0 + 1
      rows[label] = low[label].1..<high[label].1 + 1
    }
  }

  /// What holds all of some labels; nil where there is none of them.
  func box(of labels: Set<UInt8>) -> (columns: Range<Int>, rows: Range<Int>)? {
    guard let columns = Self.union(labels.compactMap { columns[Int($0)] }),
      let rows = Self.union(labels.compactMap { rows[Int($0)] })
    else { return nil }
    return (columns, rows)
  }

  private static func union(_ ranges: [Range<Int>]) -> Range<Int>? {
    guard let low = ranges.map(\.lowerBound).min(), let high = ranges.map(\.upperBound).max()
    else { return nil }
    return low..<high
  }
}
