import Foundation

/// A real Orthanc on loopback.
public final class Orthanc: Sendable {
  public let dicomPort: Int
  public let webPort: Int
  private let folder: TemporaryFolder
  private let process: ChildProcess

  /// The plugin that Debian's package orthanc-dicomweb installs.
  public static let dicomwebPlugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

  /// - Parameters:
  ///   - dicomPort: where it listens as PACS.
  ///   - destination: the port of SEGMENTD, for C-MOVE.
  ///   - hasDICOMweb: whether it answers under /dicom-web/.
  ///   - storesAt: the DICOMweb service that ``sendByWeb()`` sends to.
  public init(
    dicomPort: Int, destination: Int = 104, hasDICOMweb: Bool = false, storesAt: String? = nil
  ) async throws {
    self.dicomPort = dicomPort
    webPort = try freePort()
    folder = try TemporaryFolder()
    let settings: [String: Any] = [
      "Name": "PACS", "DicomAet": "PACS", "DicomPort": dicomPort, "HttpPort": webPort,
      "StorageDirectory": folder.url.path, "IndexDirectory": folder.url.path,
      "DicomCheckCalledAet": true, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
      "DicomModalities": ["segmentd": ["SEGMENTD", "127.0.0.1", destination]],
      "OverwriteInstances": false, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true,
      "DicomAlwaysAllowFind": true, "DicomCheckModalityHost": false,
      // Seconds without a byte, after which a request is answered with 400: a busy test process may take longer than 30.
      "HttpRequestTimeout": 900,
      "Plugins": hasDICOMweb ? [Self.dicomwebPlugin] : [],
      "DicomWeb": [
        "Enable": true, "Root": "/dicom-web/",
        "Servers": storesAt.map { ["segmentd": [$0]] } ?? [:],
      ],
    ]
    let file = folder.url.appendingPathComponent("orthanc.json")
    try JSONSerialization.data(withJSONObject: settings).write(to: file)
    process = try ChildProcess(
      "/usr/sbin/Orthanc", [file.path], log: folder.url.appendingPathComponent("log"))
    try await waitUntil("Orthanc", within: 900) {
      await self.get("system") != nil
    }
  }

  /// What it has written to its log.
  public var log: String { process.output }

  /// The SOP instance UIDs of the segmentations it holds.
  public func segmentations() async throws -> [String] {
    let answer = try await runProcess(
      "/usr/bin/curl",
      [
        "-fsS", "http://127.0.0.1:\(webPort)/tools/find", "-d",
        #"{"Level": "Instance", "Expand": true, "Query": {"Modality": "SEG"}}"#,
      ])
    struct Instance: Decodable {
      var tags: [String: String]
      enum CodingKeys: String, CodingKey { case tags = "MainDicomTags" }
    }
    return try JSONDecoder().decode([Instance].self, from: Data(answer.output.utf8))
      .compactMap { $0.tags["SOPInstanceUID"] }
  }

  /// Fetches an instance as a file.
  public func download(_ sopInstanceUID: String, to file: URL) async throws {
    let query = try JSONSerialization.data(
      withJSONObject: ["Level": "Instance", "Query": ["SOPInstanceUID": sopInstanceUID]]
        as [String: Any])
    let found = try await runProcess(
      "/usr/bin/curl",
      [
        "-fsS", "http://127.0.0.1:\(webPort)/tools/find", "-d",
        String(decoding: query, as: UTF8.self),
      ])
    let ids = try JSONDecoder().decode([String].self, from: Data(found.output.utf8))
    guard ids.count == 1 else { throw UploadFailed(output: found.output) }
    let result = try await runProcess(
      "/usr/bin/curl",
      ["-fsS", "http://127.0.0.1:\(webPort)/instances/\(ids[0])/file", "-o", file.path])
    guard result.status == 0 else { throw UploadFailed(output: result.output) }
  }

  private func get(_ path: String) async -> Data? {
    let result = try? await runProcess(
      "/usr/bin/curl", ["-fsS", "http://127.0.0.1:\(webPort)/\(path)"])
    guard let result, result.status == 0 else { return nil }
    return Data(result.output.utf8)
  }

  /// Stores files as its own interface does.
  public func upload(_ files: [URL]) async throws {
    for file in files {
      let result = try await runProcess(
        "/usr/bin/curl",
        [
          "-fsS", "http://127.0.0.1:\(webPort)/instances", "--data-binary", "@\(file.path)",
        ])
      guard result.status == 0 else { throw UploadFailed(output: result.output) }
    }
  }

  /// Sends all its studies by STOW-RS.
  ///
  /// - Returns: what its plugin says.
  public func sendByWeb() async throws -> String {
    let studies = try JSONDecoder().decode([String].self, from: await get("studies") ?? Data())
    let request = try JSONSerialization.data(
      withJSONObject: ["Resources": studies, "Synchronous": true] as [String: Any])
    return try await runProcess(
      "/usr/bin/curl",
      [
        "-sS", "http://127.0.0.1:\(webPort)/dicom-web/servers/segmentd/stow", "-d",
        String(decoding: request, as: UTF8.self),
      ]
    ).output
  }

  struct UploadFailed: Error {
    var output: String
  }

  /// Kills it: what it holds is thrown away, and an orderly end may take long.
  public func stop() async throws { try await process.end(SIGKILL) }
}
