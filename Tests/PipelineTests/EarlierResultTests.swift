import ConfigurationFile
import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import Results
import TestSupport
import Testing

@testable import Pipeline

/// What a new result does to an earlier one, destination by destination.
@Suite(.timeLimit(.minutes(20))) struct EarlierResultTests {
  private let small: SmallJob

  init() async throws { small = try await SmallJob() }

  /// A storage SCP of DCMTK.
  private struct Archive {
    let folder: TemporaryFolder
    let port: Int
    let process: ChildProcess

    init() async throws {
      folder = try TemporaryFolder()
      let port = try freePort()
      self.port = port
      process = try ChildProcess(
        "/usr/bin/storescp", ["-aet", "PACS", "-od", folder.url.path, "\(port)"],
        log: folder.url.appendingPathComponent("log"))
      let peer = Peer(aeTitle: "PACS", host: "127.0.0.1", port: port)
      try await waitUntil("storescp", within: 900) {
        (try? await StorageSCU(callingAETitle: "TEST", timeout: 2).echo(peer)) != nil
      }
    }

    /// Its objects by their SOP Instance UIDs.
    func objects() throws -> [String: Dataset] {
      var objects: [String: Dataset] = [:]
      for file in try FileManager.default.contentsOfDirectory(
        at: folder.url, includingPropertiesForKeys: nil)
      where file.lastPathComponent != "log" {
        let dataset = try DICOMFile(path: file.path).dataset
        objects[dataset.text(.sopInstanceUID) ?? ""] = dataset
      }
      return objects
    }
  }

  private func parts(site: String, _ destinations: [String]) throws -> ConfiguredParts {
    let file = small.folder.url.appendingPathComponent("segmentd.yaml")
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    try """
    stateDirectory: \(small.state.url.path)
    listener: {aeTitle: TEST, port: 11112}
    models: {directories: ["\(models)"]}
    results: {onEarlierResult: \(site), report: measurements, rtstruct: true}
    destinations: [\(destinations.map { "{\($0)}" }.joined(separator: ", "))]

    """.write(to: file, atomically: true, encoding: .utf8)
    return try ConfiguredParts(try SiteConfiguration.load(file.path), mustExist: true)
  }

  /// The first result of the images and a second one, both delivered.
  private func deliverTwice(_ parts: ConfiguredParts) async throws -> [JobSummary] {
    var jobs: [JobSummary] = []
    for number in 0..<2 {
      var id = small.id
      if number > 0 {
        var forced = NewJob(model: "untrained-tiny")
        forced.isForced = true
        id = try small.ledger.reprocess(series: small.series, job: forced)
      }
      #expect(try await parts.runner.runNext(id: id) { _ in })
      let delivery = try parts.delivery()
      while try await delivery.deliverNext() {}
      let job = try small.ledger.job(id).job
      try #require(job.state == "completed", "\(job.reason ?? "")")
      #expect(job.deliveries.allSatisfy { $0.state == "delivered" }, "\(job.deliveries)")
      jobs.append(job)
    }
    return jobs
  }

  private func uids(_ job: JobSummary) -> Set<String> {
    Set(job.objects.compactMap(\.sopInstanceUID))
  }

  /// One archive replaces, the other adds, whichever of them does as the site says.
  @Test(arguments: ["replace", "add"]) func eachDestinationDoesAsItSays(site: String) async throws {
    let (replacing, adding) = (try await Archive(), try await Archive())
    let own = { (word: String) in word == site ? "" : ", onEarlierResult: \(word)" }
    let parts = try parts(
      site: site,
      [
        "name: a, aeTitle: PACS, host: 127.0.0.1, port: \(replacing.port)\(own("replace"))",
        "name: b, aeTitle: PACS, host: 127.0.0.1, port: \(adding.port)\(own("add"))",
      ])
    let jobs = try await deliverTwice(parts)
    let (kept, added) = (try replacing.objects(), try adding.objects())
    let first = try #require(jobs[0].resultSeriesInstanceUID)
    // SEG, report and structure set of both results are in both.
    #expect(uids(jobs[1]).count == 3 && uids(jobs[0]).isDisjoint(with: uids(jobs[1])))
    for objects in [kept, added] {
      #expect(Set(objects.keys) == uids(jobs[0]).union(uids(jobs[1])))
    }
    for (uid, object) in kept {
      let named = object.items(.relatedSeriesSequence).compactMap { $0.text(.seriesInstanceUID) }
      #expect(named == (uids(jobs[1]).contains(uid) ? [first] : []))
      var without = object
      without[.relatedSeriesSequence] = nil
      #expect(added[uid] == without, "\(uid) is another object but for what it replaces")
    }
    let left = try? FileManager.default.contentsOfDirectory(atPath: small.state.added.path)
    #expect((left ?? []).isEmpty)
    for archive in [replacing, adding] { try await archive.process.end(SIGKILL) }
  }

  /// By STOW-RS, and de-identified.
  @Test func otherKindsOfDestinations() async throws {
    let orthanc = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    let (replacing, adding) = (try await Archive(), try await Archive())
    let parts = try parts(
      site: "replace",
      [
        "name: web, kind: stow, url: \"http://127.0.0.1:\(orthanc.webPort)/dicom-web\", onEarlierResult: add",
        "name: a, aeTitle: PACS, host: 127.0.0.1, port: \(replacing.port), deidentify: true",
        "name: b, aeTitle: PACS, host: 127.0.0.1, port: \(adding.port), deidentify: true, "
          + "onEarlierResult: add",
      ])
    let jobs = try await deliverTwice(parts)
    let file = small.folder.url.appendingPathComponent("back.dcm")
    let segmentation = try #require(
      jobs[1].objects.first { $0.kind == .segmentation }?.sopInstanceUID)
    try await orthanc.download(segmentation, to: file)
    #expect(try !DICOMFile(path: file.path).dataset.contains(.relatedSeriesSequence))

    let (kept, added) = (try replacing.objects(), try adding.objects())
    #expect(kept.count == 6 && Set(kept.keys) == Set(added.keys))
    let named = kept.values.flatMap { $0.items(.relatedSeriesSequence) }
    // By the UID that the earlier result has there, which is not ours.
    #expect(named.count == 3)
    let series = Set(kept.values.compactMap { $0.text(.seriesInstanceUID) })
    #expect(named.allSatisfy { series.contains($0.text(.seriesInstanceUID) ?? "") })
    #expect(!named.contains { $0.text(.seriesInstanceUID) == jobs[0].resultSeriesInstanceUID })
    #expect(added.values.allSatisfy { !$0.contains(.relatedSeriesSequence) })
    for archive in [replacing, adding] { try await archive.process.end(SIGKILL) }
    try await orthanc.stop()
  }

  /// The copy lacks the name of the earlier series, and nothing else.
  @Test func theCopyIsTheObjectInAllElse() async throws {
    let folder = try TemporaryFolder()
    let (path, copy) = (
      folder.url.appendingPathComponent("a.dcm").path,
      folder.url.appendingPathComponent("b.dcm").path
    )
    _ = try await deliverTwice(parts(site: "replace", []))
    let last = try #require(try small.ledger.jobs().max { $0.id < $1.id })
    let object = try #require(last.objects.first { $0.kind == .segmentation })
    try FileManager.default.copyItem(atPath: small.state.file(object.path).path, toPath: path)
    #expect(try AddedCopy.write(path, to: copy))
    let (before, pixels) = try DICOMFile.withNativePixels(path: path)
    let (after, others) = try DICOMFile.withNativePixels(path: copy)
    #expect(pixels == others && before.contains(.relatedSeriesSequence))
    var without = before
    without[.relatedSeriesSequence] = nil
    #expect(after == without)
    // Of an object that names none there is no copy.
    try FileManager.default.removeItem(atPath: path)
    #expect(try !AddedCopy.write(copy, to: path))
    #expect(!FileManager.default.fileExists(atPath: path))
    // Cut off, it cannot be read, and nothing is left.
    let bytes = try Data(contentsOf: URL(fileURLWithPath: small.state.file(object.path).path))
    try bytes.dropLast(200).write(to: URL(fileURLWithPath: path))
    #expect(throws: DICOMError.self) { try AddedCopy.write(path, to: copy) }
  }
}
