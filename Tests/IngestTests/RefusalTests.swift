import Cryptography
import DICOM
import Foundation
import Logging
import TestSupport
import Testing

@testable import DICOMNetwork
@testable import Ingest
@testable import JobLedger

/// What the intake refuses is in the ledger, with the series that lacks it.
@Suite struct RefusalTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let intake: Intake

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    let logger = Logger(label: "test")
    intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
  }

  /// A file of which `count` bytes are left, or all.
  private func file(
    _ image: Dataset, _ name: String = UUID().uuidString, bytes count: Int? = nil, in place: URL
  ) throws -> URL {
    let file = place.appendingPathComponent(name)
    try image.write(to: file.path)
    let bytes = try Data(contentsOf: file)
    try bytes.prefix(count ?? bytes.count).write(to: file)
    return file
  }

  private func store(_ image: Dataset, as number: Int, cut: Bool = false) throws -> StoreStatus {
    let file = try file(image, in: state.incoming)
    if cut { try Data(contentsOf: file).dropLast(400).write(to: file) }
    return intake.store(
      ReceivedObject(
        association: .test, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
        sopInstanceUID: "1.2.3.\(number)", transferSyntaxUID: "1.2.840.10008.1.2.1",
        beganAt: .now))
  }

  @Test func aCutOffInstanceIsMissingUntilItArrives() throws {
    #expect(try store(.image(1), as: 1) == .success)
    #expect(try store(.image(2), as: 2, cut: true) == .cannotUnderstand)
    let missing = try #require(try ledger.incompleteness(series: "1.2.3").refused.first)
    #expect(missing.instance.sopInstanceUID == "1.2.3.2")
    #expect(missing.instance.studyInstanceUID == "1.2" && missing.instance.modality == "MR")
    #expect(missing.instance.status == 0xC000 && missing.instance.source == .listener)
    #expect(missing.instance.reason.contains("(7FE0,0010)"))
    #expect(!missing.instance.reason.contains(state.incoming.path))
    #expect(missing.callingAETitle == "MODALITY" && missing.peerAddress == "127.0.0.1")
    #expect(try store(.image(2), as: 2) == .success)
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  @Test func anotherInstanceThanTheRequestSaidIsMissing() throws {
    #expect(try store(.image(1), as: 1) == .success)
    #expect(try store(.image(2), as: 9) == .doesNotMatch)
    let missing = try ledger.incompleteness(series: "1.2.3").refused
    #expect(missing.map(\.instance.sopInstanceUID) == ["1.2.3.9"])
    #expect(missing.map(\.instance.status) == [0xA900])
  }

  /// The association says where an instance belongs whose series is blank.
  @Test func anInstanceWithoutSeriesIsMissingFromItsAssociation() throws {
    #expect(try store(.image(1), as: 1) == .success)
    #expect(try store(.image(2, series: ""), as: 2) == .cannotUnderstand)
    #expect(try ledger.incompleteness(series: "1.2.3").refused.count == 1)
  }

  @Test func whatTheListenerRefusesByItselfIsMissing() throws {
    #expect(try store(.image(1), as: 1) == .success)
    let whole = try Data(contentsOf: try file(.image(2), in: folder.url))
    let start = try DICOMFile(path: try file(.image(2), in: folder.url).path).datasetOffset
    intake.refused(
      RefusedObject(
        association: .test, sopClassUID: "1.2.840.10008.5.1.4.1.1.4", sopInstanceUID: "1.2.3.2",
        transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now,
        beginning: whole.dropFirst(start).prefix(1000), status: 0xA700,
        reason: "No space left on device"))
    let missing = try #require(try ledger.incompleteness(series: "1.2.3").refused.first)
    #expect(missing.instance.status == 0xA700)
    #expect(missing.instance.reason == "No space left on device")
    #expect(missing.instance.seriesInstanceUID == "1.2.3")
  }

  @Test func theEndOfAnAssociationIsRecorded() throws {
    #expect(try store(.image(1), as: 1) == .success)
    #expect(try ledger.seriesDue(quietPeriod: -1).isEmpty)
    intake.ended(.test, .connectionLost, message: "the connection was closed without release")
    #expect(try ledger.seriesDue(quietPeriod: -1).count == 1)
    let broken = try ledger.incompleteness(series: "1.2.3").associations
    #expect(broken.map(\.outcome) == [.connectionLost])
    #expect(broken.map(\.stored) == [1])
  }

  @Test func aCutOffFileOfAWatchFolderIsMissingUntilItIsWhole() throws {
    try intake.take(copyOf: file(.image(1), in: folder.url))
    let cut = try file(.image(2), "2.dcm", bytes: 600, in: folder.url)
    for _ in 0..<2 {
      #expect(throws: IntakeError.self) { try intake.take(copyOf: cut) }
    }
    let missing = try #require(try ledger.incompleteness(series: "1.2.3").refused.first)
    #expect(missing.instance.sopInstanceUID == "1.2.3.2" && missing.instance.file == cut.path)
    #expect(missing.instance.source == .watch && missing.instance.status == nil)
    #expect(missing.count == 2)
    try intake.take(copyOf: file(.image(2), "2.dcm", in: folder.url))
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  /// The letters DICM and nothing more: it may be an image, of an unknown series.
  @Test func aFileThatSaysNothingIsRecordedByItsPath() throws {
    let cut = try file(.image(2), "2.dcm", bytes: 140, in: folder.url)
    let error = #expect(throws: IntakeError.self) { try intake.take(copyOf: cut) }
    // The name may be a patient's: messages have its hash.
    let text = error.map { "\($0)" } ?? ""
    #expect(text.hasPrefix(hashedFileName(cut.path)) && !text.contains("2.dcm"), "\(text)")
    #expect(try ledger.refusals(withoutSeries: true).map(\.instance.file) == [cut.path])
    try intake.take(copyOf: file(.image(2), "2.dcm", in: folder.url))
    #expect(try ledger.refusals().isEmpty)
  }

  /// No image is missing where a letter is in the folder, or an object of another kind.
  @Test func whatIsNoImageIsNotMissing() throws {
    let letter = folder.url.appendingPathComponent("letter.txt")
    try Data("Dear colleague".utf8).write(to: letter)
    #expect(throws: IntakeError.self) { try intake.take(copyOf: letter) }
    var report = Dataset.image(3)
    report.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.88.11")
    let whole = try file(report, in: folder.url)
    let cut = try file(report, bytes: 700, in: folder.url)
    for file in [whole, cut] {
      #expect(throws: IntakeError.self) { try intake.take(copyOf: file) }
    }
    #expect(try ledger.refusals().isEmpty)
  }
}
