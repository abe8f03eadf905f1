import Cryptography
import DICOM
import Foundation
import JobLedger
import Logging
import TestSupport
import Testing

@testable import DICOMNetwork
@testable import Ingest

@Suite struct IntakeTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let intake: Intake

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    intake = Intake(
      state: state, ledger: ledger,
      receptions: ReceptionLog(ledger: ledger, logger: Logger(label: "test")),
      storedClasses: [Self.segmentation], logger: Logger(label: "test"))
  }

  private static let segmentation = "1.2.840.10008.5.1.4.1.1.66.4"

  /// A small MR image; no pixel is looked at during intake.
  private func image(sop: String = "1.2.3.1", note: String = "") -> Dataset {
    var image = Dataset()
    image.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
    image.set(.sopInstanceUID, .UI, sop)
    image.set(.studyInstanceUID, .UI, "1.2")
    image.set(.seriesInstanceUID, .UI, "1.2.3")
    image.set(.modality, .CS, "MR")
    image.set(.seriesDescription, .LO, note)
    return image
  }

  /// Puts an image where the listener puts it and hands it to the intake.
  private func store(
    _ image: Dataset, as sop: String = "1.2.3.1",
    sopClass: String = "1.2.840.10008.5.1.4.1.1.4"
  ) throws -> StoreStatus {
    let file = state.incoming.appendingPathComponent(UUID().uuidString)
    try image.write(to: file.path)
    return intake.store(
      ReceivedObject(
        association: .test, path: file.path, sopClassUID: sopClass,
        sopInstanceUID: sop, transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now))
  }

  /// What was received counts, so that a file that differs from it is found; where the dataset does not
  /// begin where the listener wrote it, the file is read.
  @Test func theHashOfWhatCameCounts() throws {
    let hash = String(repeating: "5a", count: 32)
    for (number, shift) in [0, 8].enumerated() {
      let uid = "1.2.3.\(number + 1)"
      let file = state.incoming.appendingPathComponent(UUID().uuidString)
      try image(sop: uid).write(to: file.path)
      let offset = try DICOMFile(path: file.path).datasetOffset
      let dataset = try Data(contentsOf: file).dropFirst(offset)
      let status = intake.store(
        ReceivedObject(
          association: .test, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
          sopInstanceUID: uid, transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now,
          hash: ReceivedHash(offset: offset - shift, sha256: hash)))
      #expect(status == .success)
      let record = try #require(
        try ledger.instances(series: "1.2.3").all.first { $0.sopInstanceUID == uid })
      let own = SHA256.hash(data: Data(dataset)).map { String(format: "%02x", $0) }.joined()
      #expect(record.contentHash == (shift == 0 ? hash : own))
    }
  }

  private var spooled: [String] { state.filledFiles }
  private var incoming: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: state.incoming.path)) ?? []
  }

  @Test func anAcknowledgedInstanceIsInSpoolAndLedger() throws {
    #expect(try store(image()) == .success)
    #expect(spooled == (try ledger.instances(series: "1.2.3").all.map(\.spoolPath)))
    #expect(spooled.count == 1)
    #expect(incoming.isEmpty)
    let mode = try FileManager.default.attributesOfItem(atPath: state.file(spooled[0]).path)
    #expect(mode[.posixPermissions] as? Int == 0o600)
  }

  /// A file that the listener has still open is sealed and synced by its descriptor. Where it cannot be synced,
  /// the object is refused, and its row, which was written at the same time, is taken back.
  @Test(arguments: [true, false]) func anOpenFileIsSealedAndSynced(canBeSynced: Bool) throws {
    let source = folder.url.appendingPathComponent("source")
    try image().write(to: source.path)
    let file = try #require(try intake.newFile())
    let handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true)
    try handle.write(contentsOf: Data(contentsOf: source))
    // Nothing can be synced of it: EINVAL (fsync(2)).
    let device = try #require(FileHandle(forUpdatingAtPath: "/dev/null"))
    let status = intake.store(
      ReceivedObject(
        association: .test, path: file.path,
        descriptor: (canBeSynced ? handle : device).fileDescriptor,
        sopClassUID: "1.2.840.10008.5.1.4.1.1.4", sopInstanceUID: "1.2.3.1",
        transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now))
    #expect(status == (canBeSynced ? .success : .outOfResources))
    let records = try ledger.instances(series: "1.2.3").all
    #expect(records.count == (canBeSynced ? 1 : 0) && spooled.count == records.count)
    #expect(try ledger.refusals().count == (canBeSynced ? 0 : 1))
    for record in records {
      var hasPrefix = false
      let seal = SpoolSeal(of: state.file(record.spoolPath), hasPrefix: &hasPrefix)
      #expect(seal?.contentHash == record.contentHash)
    }
  }

  /// A small object as the listener hands it over, in memory and for a file that is open and empty.
  private func held(_ contents: Data, offset: Int, path: String, _ descriptor: Int32)
    -> ReceivedObject
  {
    ReceivedObject(
      association: .test, path: path, descriptor: descriptor,
      sopClassUID: "1.2.840.10008.5.1.4.1.1.4", sopInstanceUID: "1.2.3.1",
      transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now,
      hash: ReceivedHash(
        offset: offset,
        sha256: SHA256.hash(data: contents.dropFirst(offset)).map { String(format: "%02x", $0) }
          .joined()),
      contents: contents)
  }

  /// It is written whole, with its seal; where there is no space, it is refused as what it is.
  @Test(arguments: [true, false]) func anObjectInMemoryIsWritten(hasSpace: Bool) throws {
    let source = folder.url.appendingPathComponent("source")
    try image().write(to: source.path)
    let contents = try Data(contentsOf: source)
    let offset = try DICOMFile(path: source.path).datasetOffset
    let file = try #require(try intake.newFile())
    defer { close(file.descriptor) }
    let full = try #require(FileHandle(forUpdatingAtPath: "/dev/full"))
    let descriptor = hasSpace ? file.descriptor : full.fileDescriptor
    let status = intake.store(held(contents, offset: offset, path: file.path, descriptor))
    #expect(status == (hasSpace ? .success : .outOfResources))
    let records = try ledger.instances(series: "1.2.3").all
    #expect(records.count == (hasSpace ? 1 : 0) && spooled.count == records.count)
    for record in records {
      let written = try Data(contentsOf: state.file(record.spoolPath))
      #expect(written.dropFirst(128) == contents.dropFirst(128))
      #expect(record.byteCount == contents.count)
      var hasPrefix = false
      let seal = SpoolSeal(of: state.file(record.spoolPath), hasPrefix: &hasPrefix)
      #expect(seal?.contentHash == record.contentHash)
    }
    let refused = try ledger.refusals()
    #expect(refused.map(\.instance.seriesInstanceUID) == (hasSpace ? [] : ["1.2.3"]))
    #expect(refused.allSatisfy { $0.instance.reason.contains("No space left on device") })
  }

  /// What cannot be read is never written: it could end the process that reads it after a restart too.
  @Test func aDamagedObjectInMemoryIsNotWritten() throws {
    let source = folder.url.appendingPathComponent("source")
    try image().write(to: source.path)
    let contents = try Data(contentsOf: source).dropLast(4)
    let offset = try DICOMFile(path: source.path).datasetOffset
    let file = try #require(try intake.newFile())
    defer { close(file.descriptor) }
    let object = held(contents, offset: offset, path: file.path, file.descriptor)
    #expect(intake.store(object) == .cannotUnderstand)
    var status = stat()
    #expect(fstat(file.descriptor, &status) == 0 && status.st_size == 0)
    #expect(try ledger.refusals().map(\.instance.studyInstanceUID) == ["1.2"])
    #expect(!FileManager.default.fileExists(atPath: file.path))
  }

  /// A version that came again counts in a ledger that is rebuilt from the files too.
  @Test func aRebuiltLedgerHasTheVersionThatCameLast() throws {
    for note in ["first", "second", "first"] { #expect(try store(image(note: note)) == .success) }
    let current = try ledger.instances(series: "1.2.3").current
    #expect(try ledger.instances(series: "1.2.3").replaced.count == 1 && spooled.count == 2)
    let new = try Ledger(path: folder.url.appendingPathComponent("new.sqlite").path)
    let logger = Logger(label: "test")
    let receptions = ReceptionLog(ledger: new, logger: logger)
    try Recovery(Intake(state: state, ledger: new, receptions: receptions, logger: logger))
      .rebuildLedger { line, isError in #expect(!isError, "\(line)") }
    let rebuilt = try new.instances(series: "1.2.3").current
    #expect(rebuilt.map(\.contentHash) == current.map(\.contentHash))
  }

  /// With leading zeros in the dataset and padding in the request it is one UID.
  @Test(arguments: [
    ("1.2.007.1", "1.2.007.1"), ("1.2.3.1", "1.2.3.1\0"), ("1.2.3.01", "1.2.3.01 "),
  ])
  func oddUIDsAreTakenAsTheyAre(sop: String, requested: String) throws {
    #expect(try store(image(sop: sop), as: requested) == .success)
    #expect(try ledger.instances(series: "1.2.3").all.map(\.sopInstanceUID) == [sop])
  }

  @Test(arguments: ["../../etc/passwd", "1..2", "1.2.x", ""])
  func whatIsNoUIDIsRefusedAndLeavesNothing(uid: String) throws {
    #expect(try store(image(sop: uid), as: uid) == .cannotUnderstand)
    #expect(try store(image(), as: uid) == .doesNotMatch)
    #expect(spooled.isEmpty && incoming.isEmpty)
  }

  @Test func theSameInstanceAgainIsAcknowledgedAndKeptOnce() throws {
    #expect(try store(image()) == .success)
    #expect(try store(image()) == .success)
    #expect(spooled.count == 1)
  }

  @Test func anInstanceWhoseFileIsLostIsTakenAgain() throws {
    #expect(try store(image()) == .success)
    try FileManager.default.removeItem(at: state.file(spooled[0]))
    #expect(try store(image()) == .success)
    #expect(spooled.count == 1)
    #expect(spooled == (try ledger.instances(series: "1.2.3").all.map(\.spoolPath)))
  }

  @Test func otherContentUnderTheSameUIDIsKeptToo() throws {
    #expect(try store(image()) == .success)
    #expect(try store(image(note: "other")) == .success)
    #expect(spooled.count == 2)
    #expect(try ledger.instances(series: "1.2.3").all.map(\.spoolPath).count == 2)
  }

  @Test func anotherInstanceThanTheRequestSaidIsRefused() throws {
    #expect(try store(image(), as: "9.9") == .doesNotMatch)
    #expect(spooled.isEmpty && incoming.isEmpty)
  }

  @Test(arguments: [DICOM.Tag.studyInstanceUID, .seriesInstanceUID, .sopClassUID])
  func blankUIDsAreRefused(tag: DICOM.Tag) throws {
    var blank = image()
    blank.set(tag, .UI, "")
    #expect(try store(blank) != .success)
    #expect(spooled.isEmpty && incoming.isEmpty)
  }

  /// Sent by storescu it would never arrive: that refuses the file itself.
  @Test func aTruncatedImageIsRefused() throws {
    var whole = image()
    whole.set(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: 4096))
    let file = state.incoming.appendingPathComponent("half")
    try whole.write(to: file.path)
    let bytes = try Data(contentsOf: file)
    try bytes.prefix(bytes.count - 2000).write(to: file)
    let status = intake.store(
      ReceivedObject(
        association: .test, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
        sopInstanceUID: "1.2.3.1", transferSyntaxUID: "1.2.840.10008.1.2.1", beganAt: .now))
    #expect(status == .cannotUnderstand)
    #expect(spooled.isEmpty && incoming.isEmpty)
    #expect(try ledger.instances(series: "1.2.3").all.map(\.spoolPath).isEmpty)
  }

  /// A result, ours or another's, is kept at either entrance; other objects are not.
  @Test(arguments: [true, false])
  func storesResultsByClass(isWatched: Bool) throws {
    func take(_ sopClass: String) throws -> Bool {
      var object = image()
      object.set(.sopClassUID, .UI, sopClass)
      object.set(.manufacturer, .LO, "segmentd")
      object.set(.manufacturerModelName, .LO, "segmentd")
      guard isWatched else { return try store(object, sopClass: sopClass) == .success }
      let file = folder.url.appendingPathComponent("result.dcm")
      try object.write(to: file.path)
      return (try? intake.take(copyOf: file)) != nil
    }
    #expect(try take("1.2.840.10008.5.1.4.1.1.104.1") == false)
    #expect(spooled.isEmpty)
    #expect(try take(Self.segmentation))
    #expect(
      try ledger.instances(series: "1.2.3").current.map(\.sopClassUID) == [Self.segmentation])
  }

  /// No series of images lacks the segmentation that was refused.
  @Test func aRefusedResultLeavesNoSeriesIncomplete() throws {
    var result = image(sop: "")
    result.set(.sopClassUID, .UI, Self.segmentation)
    #expect(try store(result, sopClass: Self.segmentation) == .cannotUnderstand)
    #expect(try store(image()) == .success)
    #expect(try ledger.incompleteness(series: "1.2.3").reasons.isEmpty)
    #expect(try store(image(sop: ""), as: "1.2.3.2") == .cannotUnderstand)
    #expect(try !ledger.incompleteness(series: "1.2.3").reasons.isEmpty)
  }

  /// The name may be a patient's.
  @Test func whatIsNoDICOMIsRefusedByTheHashOfItsPath() throws {
    let file = folder.url.appendingPathComponent("DOE^JANE.txt")
    try Data("Dear colleague".utf8).write(to: file)
    let error = #expect(throws: IntakeError.self) { try intake.take(copyOf: file) }
    #expect(error?.description.hasPrefix(hashedFileName(file.path) + ":") == true)
    #expect(error?.description.contains("DOE") == false)
    #expect(FileManager.default.fileExists(atPath: file.path))
    #expect(spooled.isEmpty && incoming.isEmpty)
  }

  @Test func aStateDirectoryHasOneOwner() throws {
    #expect(!state.isDaemonWaiting)
    let lock = try state.lock(for: "reprocess")
    let error = #expect(throws: StateDirectoryError.self) { try state.lock(for: "serve") }
    let name = "segmentd reprocess (process \(getpid()))"
    #expect(error?.description.contains("\(name) is using this state directory") == true)
    guard case .others(let holder) = try state.lockOrHolder(for: "serve") else {
      Issue.record("it was locked twice")
      return
    }
    #expect(holder?.isDaemon == false && holder?.description == name)
    do {
      let waiting = try state.waitingLock()
      #expect(state.isDaemonWaiting)
      withExtendedLifetime(waiting) {}
    }
    #expect(!state.isDaemonWaiting)
    withExtendedLifetime(lock) {}
  }
}

extension Association {
  static let test = Association(
    number: 1, startedAt: .now, callingAETitle: "MODALITY", calledAETitle: "SEGMENTD",
    peerAddress: "127.0.0.1")
}
