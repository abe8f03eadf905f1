import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// What the proof across the objects of a divided result refuses.
@Suite struct DividedResultTests {
  private let series: PhantomSeries
  private let whole: SegmentationObject
  private let paths: [String]

  /// Two segments in two objects, of four and five frames.
  init() throws {
    let series = try PhantomSeries()
    let labels = PhantomLabels.volume(on: series.stack.grid)
    var options = ResultOptions()
    options.maximumFrames = 5
    var origin = PhantomModel(PhantomLabels.segments).described(PhantomLabels.origin)
    let parts = SegmentationObject.parts(
      of: labels, segments: PhantomLabels.segments, options: options)
    var paths: [String] = []
    for (index, held) in parts.enumerated() {
      origin.instanceNumber = index + 1
      let object = SegmentationObject(
        labels, stack: series.stack, segments: PhantomLabels.segments, holding: held,
        origin: origin,
        identifiers: ResultIdentifiers(
          seriesInstanceUID: "2.25.1", sopInstanceUID: "2.25.2\(index)"), options: options)
      let path = series.folder.url.appendingPathComponent("part-\(index).dcm").path
      _ = try object.write(to: path)
      try object.prove(path)
      paths.append(path)
    }
    try #require(paths.count == 2)
    whole = series.segmentation(labels, options: options)
    self.series = series
    self.paths = paths
  }

  private func prove(_ paths: [String]? = nil) throws {
    try DividedResultProof(of: whole).prove(paths ?? self.paths)
  }

  private func expectFault(
    _ words: String, _ paths: [String]? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let error = #expect(throws: ProofError.self, sourceLocation: sourceLocation) {
      try prove(paths)
    }
    let reason = try #require(error, sourceLocation: sourceLocation).reason
    #expect(reason.contains(words), "\(reason)", sourceLocation: sourceLocation)
  }

  /// Writes an object again with something changed.
  private func rewrite(_ part: Int, _ change: (inout Dataset, inout [UInt8]) -> Void) throws {
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: paths[part])
    change(&dataset, &pixels)
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: paths[part])
  }

  @Test func theObjectsAsWrittenAreProved() throws { try prove() }

  @Test func anObjectThatIsMissingIsFound() throws {
    try expectFault("1 segment in 1 object where 2 are due", [paths[0]])
    try expectFault("out of its order", [paths[1]])
    try expectFault("0 segments in 0 objects", [])
  }

  @Test func anObjectThatIsThereTwiceIsFound() throws {
    try expectFault("does not follow that of the object before", [paths[0], paths[0], paths[1]])
    // Under a number and a UID of its own.
    try FileManager.default.removeItem(atPath: paths[1])
    try FileManager.default.copyItem(atPath: paths[0], toPath: paths[1])
    try rewrite(1) { dataset, _ in
      dataset.set(.instanceNumber, .IS, "2")
      dataset.set(.sopInstanceUID, .UI, "2.25.99")
    }
    try expectFault("another object's")
  }

  @Test func objectsInAnotherOrderAreFound() throws {
    try expectFault("out of its order", paths.reversed())
  }

  @Test(arguments: [true, false]) func aFrameThatIsMissingOrThereTwiceIsFound(isMissing: Bool)
    throws
  {
    try rewrite(1) { dataset, pixels in
      var frames = dataset.items(.perFrameFunctionalGroups)
      if isMissing { frames.removeLast() } else { frames.append(frames[2]) }
      dataset.set(.perFrameFunctionalGroups, frames)
      dataset.set(.numberOfFrames, .IS, "\(frames.count)")
      let size = (frames.count * 45 + 7) / 8
      pixels = Array((pixels + [0, 0, 0, 0, 0, 0]).prefix(size + size % 2))
    }
    try expectFault("the objects have \(isMissing ? 0 : 2) frames of segment 2")
  }

  @Test func aFrameElsewhereIsFound() throws {
    try rewrite(0) { dataset, _ in
      dataset.changeFrame(1) { frame in
        frame.change(0, of: .planePositionSequence) {
          $0.set(.imagePosition, .DS, "-17.25\\30\\300")
        }
      }
    }
    try expectFault("is that of no source image")
  }

  /// Each of them would be a series, a place or an object of its own.
  @Test func whatMakesThemOneIsCompared() throws {
    let changes: [(words: String, change: (inout Dataset) -> Void)] = [
      ("(0020,000E)", { $0.set(.seriesInstanceUID, .UI, "2.25.77") }),
      ("(0020,0052)", { $0.set(.frameOfReferenceUID, .UI, "2.25.77") }),
      ("(0008,103E)", { $0.set(.seriesDescription, .LO, "other") }),
      ("(0020,0011)", { $0.set(.seriesNumber, .IS, "77") }),
      ("(0020,000D)", { $0.set(.studyInstanceUID, .UI, "2.25.77") }),
      ("(0010,0020)", { $0.set(.patientID, .LO, "OTHER") }),
      ("(0020,0013)", { $0.set(.instanceNumber, .IS, "4") }),
      ("(0008,0018)", { $0.set(.sopInstanceUID, .UI, "2.25.20") }),
      ("(0020,9161)", { $0.set(DICOM.Tag(0x0020, 0x9161), .UI, "2.25.77") }),
      (
        "(5200,9229)",
        { $0.changeShared(.pixelMeasuresSequence) { $0.set(.sliceThickness, .DS, "9") } }
      ),
      ("(0008,1115)", { $0.set(.referencedSeriesSequence, []) }),
      (
        "(0062,0002)",
        { $0.change(0, of: .segmentSequence) { $0.set(.segmentLabel, .LO, "Liver") } }
      ),
    ]
    let whole = try Data(contentsOf: URL(fileURLWithPath: paths[1]))
    for (words, change) in changes {
      try rewrite(1) { dataset, _ in change(&dataset) }
      try expectFault(words)
      try whole.write(to: URL(fileURLWithPath: paths[1]))
    }
    try prove()
  }
}
