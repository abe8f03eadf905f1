import Cryptography
import DICOM
import FileSystem
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// The UIDs of a result, and what it names as replaced.
@Suite struct ResultIdentityTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private let first = ResultIdentity(fingerprint: String(repeating: "a", count: 64))

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
  }

  private func write(_ identity: ResultIdentity) throws -> (SegmentationObject, path: String) {
    var origin = PhantomLabels.origin
    origin.replaces = identity.replaces
    let object = series.segmentation(
      labels, origin: origin,
      identifiers: identity.identifiers(object: 0, holding: labels, remarks: []))
    let path = series.folder.url.appendingPathComponent("\(UUID().uuidString).dcm").path
    #expect(try object.write(to: path) == .written)
    return (object, path)
  }

  private func identity(replacing uid: String) -> ResultIdentity {
    ResultIdentity(
      fingerprint: first.fingerprint,
      replaces: ReplacedSeries(studyInstanceUID: "2.25.7001", seriesInstanceUID: uid))
  }

  @Test func whateverDiffersGivesOtherUIDs() {
    let one = first.identifiers(object: 0, holding: labels, remarks: [])
    #expect(first.identifiers(object: 0, holding: labels, remarks: []) == one)
    var moved = labels
    moved.labels[0] ^= 1
    let sameSeries = [
      first.identifiers(object: 1, holding: labels, remarks: []),
      first.identifiers(object: 0, holding: moved, remarks: []),
      first.identifiers(object: 0, holding: labels, remarks: ["unusual"]),
    ]
    #expect(sameSeries.allSatisfy { $0.seriesInstanceUID == one.seriesInstanceUID })
    #expect(Set(sameSeries.map(\.sopInstanceUID) + [one.sopInstanceUID]).count == 4)
    let others = [
      ResultIdentity(fingerprint: String(repeating: "b", count: 64)),
      identity(replacing: "2.25.1"), identity(replacing: "2.25.2"),
    ]
    let uids = others.map { $0.identifiers(object: 0, holding: labels, remarks: []) }
    #expect(Set(uids.map(\.seriesInstanceUID) + [one.seriesInstanceUID]).count == 4)
    #expect(Set(uids.map(\.sopInstanceUID) + [one.sopInstanceUID]).count == 4)
  }

  @Test func theReplacedSeriesIsNamedAndProved() async throws {
    let (object, path) = try write(identity(replacing: "2.25.4711"))
    try object.prove(path)
    let related = try DICOMFile(path: path).dataset.items(.relatedSeriesSequence)
    #expect(related.map { $0.text(.seriesInstanceUID) } == ["2.25.4711"])
    #expect(related.map { $0.text(.studyInstanceUID) } == ["2.25.7001"])
    let purpose = try #require(related.first?.items(.purposeOfReferenceCodeSequence).first)
    #expect(purpose.text(.codingSchemeDesignator) == "99SEGMENTD")
    let result = try await runProcess("/usr/bin/dciodvfy", [path])
    let complaints = result.output.split(separator: "\n").filter {
      $0.hasPrefix("Error") || $0.contains("RelatedSeries") || $0.contains("Purpose")
    }
    #expect(complaints == [])

    // Each must be what the object was made for, and not another or none.
    for other in [identity(replacing: "2.25.4712"), first] {
      let (wanted, _) = try write(other)
      #expect(throws: ProofError.self) { try wanted.prove(path) }
    }
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    dataset[.relatedSeriesSequence] = nil
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: path)
    #expect(
      throws: ProofError.differs(
        file: path, tag: .relatedSeriesSequence, frame: nil,
        reason: "does not name exactly the series that is replaced")
    ) { try object.prove(path) }
  }

  /// The bytes of a result are part of what is promised. Where this fails, a change of the program
  /// changes results: raise `SegmentdVersion.results`, and then this digest.
  @Test func theBytesOfAResultAreThoseOfItsVersion() throws {
    // A bundle of a sum that does not follow from the test's own document.
    var origin = PhantomLabels.origin
    origin.modelSHA256 = String(repeating: "c", count: 64)
    let object = SegmentationObject(
      labels, stack: series.stack, segments: PhantomLabels.segments, origin: origin,
      identifiers: first.identifiers(object: 0, holding: labels, remarks: []))
    let path = series.folder.url.appendingPathComponent("version.dcm").path
    #expect(try object.write(to: path) == .written)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // The file meta information names the version of DCMTK.
    let start = try DICOMFile.datasetOffset(in: bytes, file: path)
    #expect(
      hexadecimal(SHA256.hash(data: bytes.dropFirst(start)))
        == "e964d884edd241b9737d74891453522e84483361f41e4b351ff98d14e119bceb")
  }
}
