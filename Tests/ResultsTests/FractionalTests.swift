import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// Segmentations of probabilities. Other programs read them in ``ReaderTableTests``.
@Suite struct FractionalTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private let probabilities: ProbabilityVolume
  private var path: String { series.folder.url.appendingPathComponent("fractional.dcm").path }

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
    probabilities = PhantomLabels.probabilities(of: labels)
  }

  private func object(
    _ probabilities: ProbabilityVolume? = nil,
    segments: [SegmentDescription] = PhantomLabels.segments
  ) -> SegmentationObject {
    series.segmentation(
      labels, probabilities: probabilities ?? self.probabilities, segments: segments,
      form: .fractional)
  }

  @Test func aPixelIsTheProbabilityOfItsSegment() async throws {
    let object = object()
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    #expect(dataset.text(.sopClassUID) == "1.2.840.10008.5.1.4.1.1.66.4")
    #expect(dataset.text(.segmentationType) == "FRACTIONAL")
    #expect(dataset.text(.segmentationFractionalType) == "PROBABILITY")
    #expect(dataset.integer(.maximumFractionalValue) == 255)
    #expect(dataset.text(.seriesDescription) == "phantom probabilities (research use only)")
    // Label 5 is the first segment, which is nowhere probable in the third slice; 1 is the second.
    #expect(dataset.items(.segmentSequence).map { $0.integer(.segmentNumber) } == [1, 2])
    let places = dataset.items(.perFrameFunctionalGroups).map {
      $0.items(.frameContentSequence)[0].integers(.dimensionIndexValues)
    }
    #expect(places == [[1, 1], [1, 2], [1, 4], [1, 5], [1, 6]] + (1...6).map { [2, $0] })
    let due =
      [0, 1, 3, 4, 5].flatMap { probabilities[class: 5, slice: $0] }
      + (0..<6).flatMap { probabilities[class: 1, slice: $0] }
    #expect(pixels == due + [0])
    // The newer one knows Segments Overlap and what came with label maps.
    for tool in ["/usr/bin/dciodvfy", SegmentationReadersTests.validator] {
      let result = try await runProcess(tool, [path])
      #expect(result.output.split(separator: "\n").filter { $0.hasPrefix("Error") } == [])
    }
    let first = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try object.write(to: path) == .written)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
  }

  /// What is one of several classes is of the segment that holds them.
  @Test func probabilitiesOfASegmentOfSeveralLabelsAddUp() throws {
    var segments = PhantomLabels.segments
    segments[0].labels = [1, 5]
    let object = object(segments: segments)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    #expect(dataset.text(.segmentsOverlap) == "UNDEFINED")
    let sums = zip(probabilities[class: 1, slice: 0], probabilities[class: 5, slice: 0])
      .map { UInt8(min(255, Int($0) + Int($1))) }
    #expect(Array(pixels[0..<sums.count]) == sums)
  }

  @Test func nothingIsWrittenWhereNothingIsFound() throws {
    var empty = labels
    empty.labels = [UInt8](repeating: 0, count: labels.labels.count)
    var options = ResultOptions()
    options.nothingFound = .segmentation
    let object = series.segmentation(
      empty, probabilities: probabilities, options: options, form: .fractional)
    #expect(try object.write(to: path) == .nothingFound)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func probabilitiesOnAnotherGridAreRefused() throws {
    var grid = labels.grid
    grid.slices -= 1
    #expect(throws: SegmentationError.self) {
      try object(ProbabilityVolume(grid: grid, classes: 6)).write(to: path)
    }
    #expect(throws: SegmentationError.self) {
      try series.segmentation(labels, form: .fractional).write(to: path)
    }
  }

  @Test func anotherProbabilityIsAnotherObject() {
    let identity = ResultIdentity(fingerprint: "a")
    let uid = { (probabilities: ProbabilityVolume?) in
      identity.identifiers(
        object: 0, holding: labels, probabilities: probabilities, remarks: [], kind: "probabilities"
      ).sopInstanceUID
    }
    var other = probabilities
    other.set(probabilities[class: 1, slice: 0][3] ^ 1, class: 1, voxel: 3)
    #expect(Set([uid(nil), uid(probabilities), uid(other)]).count == 3)
  }

  /// What is particular to it; the rest is proved as of every segmentation.
  static let faults: [WrittenFault] = [
    .bits("another value", says: "1 voxel differs") { _, pixels in pixels[20] ^= 1 },
    .text(.segmentationType, .CS, "BINARY"),
    .text(.segmentationFractionalType, .CS, "OCCUPANCY"),
    .at(.segmentationFractionalType, "no kind of fraction") {
      $0[.segmentationFractionalType] = nil
    },
    .at(.maximumFractionalValue, "another maximum") { $0.set(.maximumFractionalValue, .US, 128) },
    .text(.segmentsOverlap, .CS, "NO"),
    .at(.segmentLabel, "labels of two segments swapped") { dataset in
      let labels = dataset.items(.segmentSequence).map { $0[.segmentLabel] }
      for (index, other) in [(0, 1), (1, 0)] {
        dataset.change(index, of: .segmentSequence) { $0[.segmentLabel] = labels[other] }
      }
    },
    .at(.dimensionIndexValues, "other dimension indices") { dataset in
      dataset.changeFrame(2) { frame in
        frame.change(0, of: .frameContentSequence) { $0.set(.dimensionIndexValues, .UL, 1, 9) }
      }
    },
    .text(.patientID, .LO, "OTHER"),
  ]

  @Test(arguments: WrittenFault.ofBytes + faults)
  func aFaultIsFound(fault: WrittenFault) throws {
    try fault.expectFound(in: object(), at: path)
  }

  /// A binary segmentation with what only a fractional one has.
  @Test func attributesOfFractionsInABinaryObjectAreFound() throws {
    let object = series.segmentation(labels)
    #expect(try object.write(to: path) == .written)
    let fault = WrittenFault.at(.maximumFractionalValue, "a maximum") {
      $0.set(.maximumFractionalValue, .US, 255)
    }
    try fault.inject(into: path)
    #expect(throws: ProofError.self) { try object.prove(path) }
  }
}
