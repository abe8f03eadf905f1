import DICOM
import Foundation
import TestSupport
import Testing

@testable import DICOMweb

/// The client with Orthanc, and with a server that does what it should not.
@Suite(.timeLimit(.minutes(10))) struct DICOMwebClientTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func client(
    _ port: Int, authorization: DICOMwebClient.Authorization = .none,
    change: (inout DICOMwebClient.Limits) -> Void = { _ in }
  ) throws -> DICOMwebClient {
    var limits = DICOMwebClient.Limits()
    change(&limits)
    return DICOMwebClient(
      url: try #require(URL(string: "http://127.0.0.1:\(port)/dicom-web")),
      authorization: authorization, limits: limits)
  }

  @Test func orthanc() async throws {
    let phantom = try await PhantomSeries(slices: 4)
    let orthanc = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    try await orthanc.upload(phantom.files)
    let client = try client(orthanc.webPort)
    #expect(
      try await client.series(ofStudy: phantom.study) == [
        .init(seriesInstanceUID: phantom.series, modality: "CT", instanceCount: 4)
      ])
    #expect(try await client.series(ofStudy: "1.2.3.4").isEmpty)
    let instances = try await client.instances(ofSeries: phantom.series, study: phantom.study)
    #expect(instances.count == 4)
    for instance in instances {
      let file = folder.url.appendingPathComponent(instance.sopInstanceUID)
      try await client.retrieve(
        instance: instance.sopInstanceUID, ofSeries: phantom.series, study: phantom.study, to: file)
      let identity = try DICOMFile(path: file.path).identity()
      #expect(identity.sopInstanceUID == instance.sopInstanceUID)
      let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions]
      #expect(mode as? Int == 0o600)
    }
    await #expect(throws: DICOMwebError.self) {
      try await client.retrieve(
        instance: "1.2.3", ofSeries: phantom.series, study: phantom.study,
        to: folder.url.appendingPathComponent("none"))
    }
    try await orthanc.stop()
  }

  private func withServer(_ body: (Int, URL) async throws -> Void) async throws {
    let phantom = try await PhantomSeries(slices: 1)
    let port = try freePort()
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/peers/dicomweb_server.py").path
    let server = try ChildProcess(
      testPython, [script, "\(port)", phantom.files[0].path],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("the server", within: 900) {
      try await runProcess(
        "/usr/bin/curl", ["-s", "http://127.0.0.1:\(port)/dicom-web/studies/1.9.9/series"]
      ).status == 0
    }
    try await body(port, phantom.files[0])
    try await server.end(SIGKILL)
  }

  private func retrieve(_ study: String, _ client: DICOMwebClient) async throws -> URL {
    let file = folder.url.appendingPathComponent(UUID().uuidString)
    try await client.retrieve(instance: "1.5", ofSeries: "1.4", study: study, to: file)
    return file
  }

  @Test func oddAnswersAreErrorsAndLeaveNoFile() async throws {
    try await withServer { port, original in
      let client = try client(port) { $0.objectBytes = 10 << 20 }
      let whole = try await retrieve("1.1", client)
      #expect(try Data(contentsOf: whole) == Data(contentsOf: original))
      try FileManager.default.removeItem(at: whole)
      for (study, words) in [
        ("1.2", "ends before its last part"), ("1.3", "its type is no DICOM object"),
        ("1.4", "no boundary"), ("1.5", "a part is no DICOM object"),
        ("1.6", "more than one object"), ("1.7", "503"), ("1.8", "302"),
        ("1.9", "larger than 10485760 bytes"), ("1.99", "404"), ("1.11", "401"),
      ] {
        let error = await #expect(throws: DICOMwebError.self) {
          _ = try await retrieve(study, client)
        }
        #expect(
          error?.description.contains(words) == true, "\(study): \(String(describing: error))")
        #expect(error?.isPassing == (study == "1.7"))
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      #expect(left == ["log"])
      let known = try self.client(port, authorization: .basic(user: "user", password: "password"))
      _ = try await retrieve("1.11", known)
    }
  }

  @Test func aConnectionThatIsClosedWhenItIsUsedAgainIsReplaced() async throws {
    try await withServer { port, original in
      let client = try client(port)
      for _ in 0..<3 {
        #expect(
          try await Data(contentsOf: retrieve("1.12", client)) == Data(contentsOf: original))
      }
    }
  }

  @Test func silentServersAreGivenUp() async throws {
    try await withServer { port, _ in
      let client = try client(port) { $0.timeout = 2 }
      let error = await #expect(throws: DICOMwebError.self) {
        _ = try await retrieve("1.10", client)
      }
      #expect(error?.isPassing == true, "\(String(describing: error))")
      let patient = try self.client(port)
      let task = Task { try await retrieve("1.10", patient) }
      try await Task.sleep(for: .milliseconds(500))
      task.cancel()
      await #expect(throws: DICOMwebError.cancelled) { _ = try await task.value }
    }
  }

  @Test func listsAreReadOnceAndBounded() async throws {
    try await withServer { port, _ in
      let client = try client(port) { $0.listBytes = 1 << 20 }
      #expect(try await client.series(ofStudy: "1.1").map(\.instanceCount) == [5])
      #expect(try await client.series(ofStudy: "1.4").count == 2)
      #expect(try await client.series(ofStudy: "1.99").isEmpty)
      for (study, words) in [
        ("1.2", "DICOM JSON"), ("1.3", "larger than 1048576 bytes"), ("1.5", "(0020,000E)"),
      ] {
        let error = await #expect(throws: DICOMwebError.self) {
          _ = try await client.series(ofStudy: study)
        }
        #expect(
          error?.description.contains(words) == true, "\(study): \(String(describing: error))")
      }
    }
  }

  @Test func aServerThatIsAway() async throws {
    let client = try client(try freePort())
    let error = await #expect(throws: DICOMwebError.self) {
      _ = try await client.series(ofStudy: "1.1")
    }
    #expect(error?.isPassing == true)
  }
}
