import DICOM
import FileSystem
import Foundation
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing

@testable import SeriesProcessing

/// An object that can be written, and whose proof ends as a test says.
private struct TestObject: ResultObject {
  let identifiers = ResultIdentifiers(seriesInstanceUID: "2.25.1", sopInstanceUID: "2.25.2")
  var outcome = WriteOutcome.written
  var failure: ProofError?
  /// Called with the path of the file that is proved.
  var duringProof: @Sendable (String) throws -> Void = { _ in }

  func write(to path: String) throws -> WriteOutcome {
    if outcome == .written { try Data("object".utf8).write(to: URL(fileURLWithPath: path)) }
    return outcome
  }

  func prove(_ path: String) throws {
    try duringProof(path)
    if let failure { throw failure }
  }
}

@Suite struct ProvedWritingTests {
  private let folder: TemporaryFolder
  private var file: URL { folder.url.appendingPathComponent("segmentation.dcm") }
  private let times = StageTimes()

  init() throws { folder = try TemporaryFolder() }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
  }

  /// A program that watches the folder never meets an object that is not proved yet.
  @Test func onlyAProvedObjectHasItsFinalName() throws {
    let final = file
    let object = TestObject(duringProof: { path in
      #expect(FileManager.default.fileExists(atPath: path))
      #expect(!FileManager.default.fileExists(atPath: final.path))
    })
    let sha256 = try object.writeProved(to: file, times: times)
    #expect(sha256 == hexadecimalSHA256(of: Data("object".utf8)))
    #expect(try names() == ["segmentation.dcm"])
  }

  @Test func aFailedProofLeavesNoObject() throws {
    let failure = ProofError.voxels(
      file: file.path, slice: 3, row: 2, column: 1, written: 0, labels: 1, count: 5)
    #expect(throws: failure) {
      try TestObject(failure: failure).writeProved(to: file, times: times)
    }
    #expect(try names() == [])
  }

  /// A file that cannot be read back, or not be renamed, is no proved object either.
  @Test func anyOtherFailureLeavesNoObject() throws {
    #expect(throws: CocoaError.self) {
      try TestObject(duringProof: { _ in throw CocoaError(.fileReadUnknown) })
        .writeProved(to: file, times: times)
    }
    #expect(try names() == [])
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    #expect(throws: DICOMError.self) { try TestObject().writeProved(to: file, times: times) }
    #expect(try names() == ["segmentation.dcm"])
  }

  @Test func nothingFoundIsNoFile() throws {
    #expect(try TestObject(outcome: .nothingFound).writeProved(to: file, times: times) == nil)
    #expect(try names() == [])
  }

  /// The same series gives the same object again: another attempt would fail too.
  @Test func aFailedProofHoldsTheSeries() {
    let voxels = ProofError.voxels(
      file: file.path, slice: 3, row: 2, column: 1, written: 0, labels: 1, count: 5)
    #expect(
      SeriesProcessor.reasonsToHold(voxels) == [
        "proof failed: 5 voxels differ, first slice 3 row 2 column 1: 0 written, 1 segmented"
      ])
    let differs = ProofError.differs(
      file: file.path, tag: .patientID, frame: nil, reason: "not that of the source")
    #expect(
      SeriesProcessor.reasonsToHold(differs) == [
        "proof failed: \(Tag.patientID): not that of the source"
      ])
    let damaged = ProofError.unreadable(.notDICOM(file: file.path))
    #expect(
      SeriesProcessor.reasonsToHold(damaged) == [
        "proof failed: \(DICOMError.notDICOM(file: file.path))"
      ])
  }

  /// A disk that cannot be read now says nothing about the object: the job is tried again.
  @Test func aProofThatCouldNotBeMadeIsTriedAgain() {
    let error = DICOMError.cannotRead(
      file: file.path, reason: "Input/output error", system: SystemError(EIO))
    #expect(SeriesProcessor.reasonsToHold(ProofError.unreadable(error)) == nil)
  }

  /// Nor does a bundle that was replaced while it was used, or that cannot be read now.
  @Test func aReplacedBundleIsNoFaultOfTheSeries() {
    let changed = ProofError.modelChanged(path: "/m/model.yaml", reason: "it is another one")
    let unreadable = ProofError.modelUnreadable(path: "/m/model.yaml", reason: "Permission denied")
    for error in [changed, unreadable] { #expect(SeriesProcessor.reasonsToHold(error) == nil) }
    // The one is tried again, the other waits for whoever mends it.
    #expect(!JobFailure.isPermanent(changed) && ModelFault(changed) == nil)
    #expect(ModelFault(unreadable)?.description.contains("Permission denied") == true)
  }
}
