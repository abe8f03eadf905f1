import Clocks
import DICOM
import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import SeriesReading
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// A clock that a test moves.
final class ManualClock: Sendable {
  private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

  var now: Date { time.withLock { $0 } }
  func advance(_ seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

/// A completed job whose objects wait for their destinations: 2.25.7, and 2.25.8 and so on where there are more.
struct Outbox {
  let folder: TemporaryFolder
  let clock = ManualClock()
  let state: StateDirectory
  let ledger: Ledger
  let job: Int64
  /// The objects.
  let files: [URL]
  var file: URL { files[0] }

  /// - Parameters:
  ///   - destinations: where they are sent to.
  ///   - objects: how many there are.
  ///   - kinds: of these objects, all segmentations where it is empty.
  init(
    destinations: [DeliveryTarget] = ["pacs"], objects count: Int = 1,
    kinds: [StoredObject.Kind] = []
  ) throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    let clock = clock
    ledger = try Ledger(path: state.ledger.path, clock: TimeSource { clock.now })
    _ = try ledger.recordInstance(
      InstanceRecord(
        studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.1",
        sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/1.dcm", byteCount: 1,
        contentHash: String(repeating: "0", count: 64), source: .listener))
    clock.advance(60)
    let due = try #require(try ledger.seriesDue(quietPeriod: 30).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "m")])
    job = try #require(try ledger.claimJob(id: nil)).id

    var (files, objects): ([URL], [StoredObject]) = ([], [])
    for number in 0..<count {
      let path = "results/\(job)/segmentation-\(number).dcm"
      let file = state.file(path)
      let kind = kinds.isEmpty ? .segmentation : kinds[number]
      try Self.write("2.25.\(7 + number)", kind, to: file)
      files.append(file)
      objects.append(
        .object(
          kind, sopInstanceUID: "2.25.\(7 + number)", path: path,
          sha256: try hexadecimalSHA256(ofFile: file)))
    }
    self.files = files
    let result = JobResult(objects: objects, modelVersion: "1", summary: "")
    try ledger.completeJob(job, result: result, destinations: destinations, verdicts: [])
  }

  private static func write(_ uid: String, _ kind: StoredObject.Kind, to file: URL) throws {
    let sopClasses: [StoredObject.Kind: String] = [
      .segmentation: "1.2.840.10008.5.1.4.1.1.66.4", .labelmap: "1.2.840.10008.5.1.4.1.1.66.7",
      .rtstruct: "1.2.840.10008.5.1.4.1.1.481.3",
    ]
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    var object = Dataset()
    object.set(.sopClassUID, .UI, try #require(sopClasses[kind]))
    for (tag, uid) in [
      (DICOM.Tag.sopInstanceUID, uid), (.studyInstanceUID, "1.2"), (.seriesInstanceUID, "2.25.1"),
    ] { object.set(tag, .UI, uid) }
    object.set(.modality, .CS, "SEG")
    object.set(.patientID, .LO, "PHANTOM")
    try object.write(to: file.path)
  }

  func delivery(_ peers: [String: Peer]) -> Delivery {
    delivery(
      to: peers.mapValues { DIMSEDestination(peer: $0, callingAETitle: "SEGMENTD", timeout: 900) })
  }

  func delivery(to destinations: [String: any ResultDestination]) -> Delivery {
    var pauses = Delivery.ProofPauses()
    pauses.commitments.jitter = 0
    pauses.queries.jitter = 0
    return Delivery(
      state: state, ledger: ledger, destinations: destinations, pauses: pauses,
      logger: Logger(label: "test"))
  }

  func row(_ destination: String) throws -> JobSummary.Delivery {
    try #require(try ledger.job(job).job.deliveries.first { $0.destination == destination })
  }
}

/// A storage SCP of pynetdicom's that answers every C-STORE with one status.
struct Receiver {
  let peer: Peer
  let folder: TemporaryFolder
  let process: ChildProcess

  init(answering status: String, port: Int? = nil) async throws {
    folder = try TemporaryFolder()
    let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: try port ?? freePort())
    self.peer = peer
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    process = try ChildProcess(
      testPython, [script.path, "receiver", "\(peer.port)", "PACS", status],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("the receiver", within: 900) {
      (try? await StorageSCU(callingAETitle: "TEST", timeout: 2).echo(peer)) != nil
    }
  }
}
