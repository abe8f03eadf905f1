import DICOM
import Foundation
import Ingest
import JobLedger
import Logging
import Results
import Segmentation
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// Structure sets that others made of series that we segmented.
@Suite struct StructureSetComparisonTests {
  private let small: SmallJob
  private let comparison: SegmentationComparison
  /// What we wrote.
  private let ours: Dataset
  private let result: URL

  init() async throws {
    let small = try await SmallJob()
    var options = ResultOptions()
    options.writesStructureSet = true
    #expect(try await small.runner(small.executor(options: options)).runNext { _ in })
    try #require(try small.ledger.job(small.id).job.state == "completed")
    self.small = small
    result = small.state.file("results/\(small.id)")
    ours = try DICOMFile(path: result.appendingPathComponent("structures.dcm").path).dataset
    comparison = SegmentationComparison(
      state: small.state, ledger: small.ledger, logger: Logger(label: "test"))
  }

  /// Our structure set as another program would have written it, sent to us.
  private func receive(
    number: Int = 1, isForeign: Bool = true, _ change: (inout Dataset) -> Void = { _ in }
  ) throws {
    var dataset = ours
    if isForeign {
      dataset.set(.manufacturer, .LO, "Planning System")
      dataset.set(.manufacturerModelName, .LO, "3")
      dataset.set(.sopInstanceUID, .UI, "2.25.55\(number)")
      dataset.set(.seriesInstanceUID, .UI, "2.25.44\(number)")
    }
    change(&dataset)
    let file = small.folder.url.appendingPathComponent("structures-\(number).dcm")
    try dataset.write(to: file.path)
    let intake = Intake(
      state: small.state, ledger: small.ledger,
      receptions: ReceptionLog(ledger: small.ledger, logger: Logger(label: "test")),
      storedClasses: [StructureSetStorage.sopClassUID], logger: Logger(label: "test"))
    try intake.take(copyOf: file)
  }

  private func compareAll() throws -> [Comparison] {
    while try comparison.compareNext() {}
    return try small.ledger.comparisons()
  }

  private func changing(
    _ sequence: DICOM.Tag, of dataset: inout Dataset, _ body: (Dataset) -> Dataset?
  ) {
    dataset.set(sequence, dataset.items(sequence).compactMap(body))
  }

  /// Voxels of each segment of our segmentation by the place of the frame.
  private func voxels() throws -> [String: [Double: Int]] {
    let path = result.appendingPathComponent("segmentation.dcm").path
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    let frameBytes = (dataset.integer(.rows) ?? 0) * (dataset.integer(.columns) ?? 0) / 8
    var names: [Int: String] = [:]
    for segment in dataset.items(.segmentSequence) {
      names[segment.integer(.segmentNumber) ?? 0] = segment.text(.segmentLabel)
    }
    var voxels: [String: [Double: Int]] = [:]
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      let place = frame.items(.planePositionSequence).first?.reals(.imagePosition).last
      voxels[names[number ?? 0] ?? "", default: [:]][place ?? 0] =
        pixels[index * frameBytes..<(index + 1) * frameBytes].reduce(0) { $0 + $1.nonzeroBitCount }
    }
    return voxels
  }

  /// By codes under other names, and by names, however they are spelt, without codes.
  @Test(arguments: [true, false]) func itIsScored(hasCodes: Bool) throws {
    let voxels = try voxels()
    let places = Set(voxels.values.flatMap(\.keys)).sorted()
    let kept = places.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    try #require(kept.count > 1 && kept.count < places.count)
    try receive { dataset in
      changing(.roiContourSequence, of: &dataset) { region in
        var region = region
        changing(.contourSequence, of: &region) { contour in
          let place = contour.reals(.contourData)[2]
          return kept.contains { abs($0 - place) < 1e-3 } ? contour : nil
        }
        return region
      }
      changing(.structureSetROISequence, of: &dataset) { region in
        var region = region
        let name = region.text(.roiName) ?? ""
        region.set(
          .roiName, .LO,
          hasCodes
            ? "ROI \(region.text(.roiNumber) ?? "")"
            : name.uppercased().replacingOccurrences(of: " ", with: "_"))
        return region
      }
      guard !hasCodes else { return }
      changing(.rtROIObservationsSequence, of: &dataset) { observed in
        var observed = observed
        observed[.rtROIIdentificationCodeSequence] = nil
        return observed
      }
    }
    let found = try compareAll()
    try #require(found.count == 1 && found[0].fault == nil, "\(found)")
    #expect(found[0].madeWith == "Planning System 3" && found[0].job == small.id)
    #expect(Set(found[0].scores.map(\.segment)) == Set(voxels.keys))
    for score in found[0].scores {
      let byPlace = voxels[score.segment] ?? [:]
      let a = byPlace.values.reduce(0, +)
      let b = kept.reduce(0) { $0 + (byPlace[$1] ?? 0) }
      #expect(abs(score.dice - 2 * Double(b) / Double(a + b)) < 1e-9, "\(score.segment)")
      #expect(abs(score.theirMillilitres / score.ourMillilitres - Double(b) / Double(a)) < 1e-9)
      #expect(b == 0 || score.hd95 != nil)
    }
    #expect(try small.ledger.job(small.id).events.contains { $0.kind == "compared" })
    #expect(try !comparison.compareNext())
  }

  /// `evaluate` and `fine-tune` take it as they take a segmentation, by codes or by names.
  @Test func itIsReadAsKnownLabels() throws {
    let models = TestFiles.fixtures.appendingPathComponent("models/untrained-tiny")
    let labels = try ModelBundle.load(at: models).labels
    let segmentation = result.appendingPathComponent("segmentation.dcm")
    let grid = try SegmentationLabels.grid(covering: [segmentation.path])
    let wanted = try KnownLabels.read(segmentation, onto: grid, labels: labels)
    #expect(wanted.labels.contains { $0 != 0 })
    var dataset = ours
    let file = small.folder.url.appendingPathComponent("known.dcm")
    for hasCodes in [true, false] {
      if !hasCodes { changing(.rtROIObservationsSequence, of: &dataset) { _ in nil } }
      try dataset.write(to: file.path)
      #expect(try KnownLabels.read(file, onto: grid, labels: labels) == wanted)
    }
  }

  /// What another of our results has is ours: the series has no comparison.
  @Test func ourOwnIsIgnored() throws {
    try receive(isForeign: false) { $0.set(.manufacturer, .LO, "Some Archive") }
    #expect(try compareAll().isEmpty)
    // Also where its file is no longer here.
    try FileManager.default.removeItem(at: result.appendingPathComponent("structures.dcm"))
    try receive(number: 2, isForeign: false) { $0.set(.manufacturer, .LO, "Another Archive") }
    #expect(try compareAll().isEmpty)
  }

  /// A correction that a program saved in place.
  @Test func aCorrectionUnderOurUIDIsScored() throws {
    try receive(isForeign: false) { dataset in
      changing(.roiContourSequence, of: &dataset) { region in
        var region = region
        region.set(.contourSequence, Array(region.items(.contourSequence).dropLast()))
        return region
      }
    }
    let found = try compareAll()
    try #require(found.count == 1 && found[0].fault == nil, "\(found)")
    #expect(found[0].scores.contains { $0.dice < 1 })
  }

  @Test func whatCannotBeComparedIsTold() throws {
    try receive(number: 1) { $0[.referencedFrameOfReferenceSequence] = nil }
    try receive(number: 2) { dataset in
      changing(.structureSetROISequence, of: &dataset) { region in
        var region = region
        region.set(.referencedFrameOfReferenceUID, .UI, "2.25.1234")
        return region
      }
    }
    try receive(number: 3) { dataset in
      changing(.roiContourSequence, of: &dataset) { region in
        var region = region
        changing(.contourSequence, of: &region) { contour in
          var contour = contour
          let numbers = contour.reals(.contourData).enumerated().map {
            String(format: "%.3f", $0.element + ($0.offset % 3 == 2 ? 0.6 : 0))
          }
          contour.set(.contourData, .DS, numbers)
          return contour
        }
        return region
      }
    }
    try receive(number: 4) { dataset in
      changing(.rtROIObservationsSequence, of: &dataset) { _ in nil }
      changing(.structureSetROISequence, of: &dataset) { region in
        var region = region
        region.set(.roiName, .LO, "External")
        return region
      }
    }
    let faults = Dictionary(
      uniqueKeysWithValues: try compareAll().map { ($0.sopInstanceUID, $0.fault ?? "") })
    #expect(faults["2.25.551"] == nil, "no series, no pair")
    #expect(faults["2.25.552"]?.contains("2.25.1234 is not that of the images") == true)
    #expect(faults["2.25.553"]?.contains("is not on the plane of an image") == true, "\(faults)")
    #expect(faults["2.25.554"]?.contains("no region its name") == true, "\(faults)")
  }
}
