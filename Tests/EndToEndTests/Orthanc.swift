import Foundation
import TestSupport

/// A real Orthanc on loopback.
final class Orthanc: Sendable {
  let dicomPort: Int
  private let webPort: Int
  private let folder: TemporaryFolder
  private let process: ChildProcess

  init(dicomPort: Int) async throws {
    self.dicomPort = dicomPort
    webPort = try freePort()
    folder = try TemporaryFolder()
    let settings: [String: Any] = [
      "Name": "PACS", "DicomAet": "PACS", "DicomPort": dicomPort, "HttpPort": webPort,
      "StorageDirectory": folder.url.path, "IndexDirectory": folder.url.path,
      "DicomCheckCalledAet": true, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
      "DicomModalities": ["segmentd": ["SEGMENTD", "127.0.0.1", 104]],
      "OverwriteInstances": false, "Plugins": [String](),
    ]
    let file = folder.url.appendingPathComponent("orthanc.json")
    try JSONSerialization.data(withJSONObject: settings).write(to: file)
    process = try ChildProcess(
      "/usr/sbin/Orthanc", [file.path], log: folder.url.appendingPathComponent("log"))
    try await waitUntil("Orthanc", within: 300) {
      await self.get("system") != nil
    }
  }

  /// The SOP instance UIDs of the segmentations it holds.
  func segmentations() async throws -> [String] {
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

  private func get(_ path: String) async -> Data? {
    let result = try? await runProcess(
      "/usr/bin/curl", ["-fsS", "http://127.0.0.1:\(webPort)/\(path)"])
    guard let result, result.status == 0 else { return nil }
    return Data(result.output.utf8)
  }

  func stop() async throws { try await process.end() }
}
