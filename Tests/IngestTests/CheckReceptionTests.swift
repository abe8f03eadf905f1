import DICOM
import Foundation
import Logging
import TestSupport
import Testing

@testable import DICOMNetwork
@testable import Ingest
@testable import JobLedger

/// What the daemon sends to itself never comes among what peers send, nor what peers send among that.
@Suite struct CheckReceptionTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let intake: Intake
  private let directory: StateDirectory
  private let check: CheckReception
  private let logger = Logger(label: "test")

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
    directory = try StateDirectory(path: state.goldenCheck.path)
    check = CheckReception(listeners: ["0.0.0.0", "10.0.0.5"], logger: logger)
  }

  private func association(_ title: String, from address: String = "127.0.0.1") -> Association {
    Association(
      number: 1, startedAt: .now, callingAETitle: title, calledAETitle: "SEGMENTD",
      peerAddress: address)
  }

  private func store(_ number: Int, over association: Association) throws -> StoreStatus {
    let handler = CheckedIntake(intake: intake, check: check)
    let file = try #require(try handler.newFile())
    close(file.descriptor)
    try Dataset.image(number).write(to: file.path)
    return handler.store(
      ReceivedObject(
        association: association, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
        sopInstanceUID: "1.2.3.\(number)", transferSyntaxUID: "1.2.840.10008.1.2.1",
        beganAt: .now))
  }

  @Test func eachComesIntoItsOwnDirectory() throws {
    try check.begin(title: "SECRET", in: directory)
    #expect(try store(1, over: association("SECRET")) == .success)
    #expect(try store(2, over: association("MODALITY")) == .success)
    // Whoever learns the title elsewhere is a peer as any other.
    #expect(try store(3, over: association("SECRET", from: "10.0.0.6")) == .success)
    #expect(!check.isOfCheck(association("SECRET", from: "10.0.0.6")))
    #expect(check.isOfCheck(association("SECRET", from: "10.0.0.5")))
    #expect(
      try ledger.instances(series: "1.2.3").all.map(\.sopInstanceUID) == ["1.2.3.2", "1.2.3.3"])
    let checked = try Ledger(reading: directory.ledger.path).instances(series: "1.2.3").all
    #expect(checked.map(\.sopInstanceUID) == ["1.2.3.1"])
    let file = directory.file(try #require(checked.first).spoolPath)
    #expect(FileManager.default.fileExists(atPath: file.path))
    // Nothing of it is left in the spool of what peers send.
    let known = try ledger.instances(series: "1.2.3").all.map(\.spoolPath)
    let walk = FileManager.default.enumerator(
      at: state.spool, includingPropertiesForKeys: [.fileSizeKey])
    let files = (walk?.compactMap { $0 as? URL } ?? []).filter {
      (try? $0.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0) ?? 0 > 0
        && $0.pathExtension == "dcm"
    }
    #expect(files.count == known.count)
  }

  /// The association of a check that has ended belongs to nobody.
  @Test func afterItsEndItIsRefused() throws {
    try check.begin(title: "SECRET", in: directory)
    check.end()
    #expect(try store(1, over: association("SECRET")) == .outOfResources)
    check.record(
      AssociationEvent(
        kind: .ended(.released), association: association("SECRET"), message: "", stored: 0,
        refused: 1))
    #expect(try ledger.instances(series: "1.2.3").all.isEmpty)
    #expect(try LedgerStatisticsReader(ledger).read().associations.isEmpty)
  }

  /// By a listener that admits one caller from one address.
  @Test func itIsAdmittedWhileItRuns() async throws {
    var policy = AssociationPolicy(
      calledAETitle: "SEGMENTD", sopClasses: ["1.2.840.10008.5.1.4.1.1.4"],
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes)
    policy.callers = [.init(aeTitle: "CT1", addresses: [try #require(AddressRange("10.1.2.3"))])]
    let port = try freePort()
    let listener = try Listener(
      [
        StorageSCPConfiguration(
          address: "127.0.0.1", port: port, folder: state.incoming.path, policy: policy)
      ], intake: intake, check: check, logger: logger)
    let image = folder.url.appendingPathComponent("image.dcm")
    try Dataset.image(1).write(to: image.path)
    func send(_ title: String) async throws -> [StoreOutcome] {
      try await StorageSCU(callingAETitle: title).store(
        [image.path], to: Peer(aeTitle: "SEGMENTD", host: "127.0.0.1", port: port))
    }
    await #expect(throws: DICOMNetworkError.self) { try await send("SECRET") }
    try check.begin(title: "SECRET", in: directory)
    #expect(try await send("SECRET") == [.stored])
    await #expect(throws: DICOMNetworkError.self) { try await send("OTHER") }
    let checked = try Ledger(path: directory.ledger.path)
    try await waitUntil("the end of the association", within: 900) {
      try checked.seriesDue(quietPeriod: 0).count == 1
    }
    #expect(try ledger.instances(series: "1.2.3").all.isEmpty)
    #expect(try LedgerStatisticsReader(ledger).read().associations.isEmpty)
    await listener.stop()
  }
}
