import Foundation
import TestSupport

/// A daemon that takes instances by STOW-RS, and its senders.
struct WebStore {
  /// What a sender read.
  struct Answer: Decodable {
    var status: Int
    var stored: [String]?
    var failed: [String: Int]?
  }

  let setup: DaemonSetup
  let port: Int
  private let scheme: String

  /// - Parameters:
  ///   - web: keys of the section besides port and stow, each with a comma before it.
  ///   - assembly: the section of that name.
  ///   - scheme: of its address.
  ///   - hasDestination: whether results go to a destination, which does not answer.
  init(
    _ web: String = "", assembly: String = "{quietSeconds: 1, incompleteSeconds: 1}",
    scheme: String = "http", hasDestination: Bool = false
  ) throws {
    port = try freePort()
    self.scheme = scheme
    setup = try DaemonSetup(
      more: "web: {port: \(port), stow: true\(web)}", assembly: assembly,
      hasDestination: hasDestination)
  }

  var url: String { "\(scheme)://127.0.0.1:\(port)/dicom-web" }

  func start() async throws -> ChildProcess {
    let daemon = try await setup.start()
    try await waitUntil("the web server") {
      try await runProcess("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).status == 0
    }
    return daemon
  }

  func series(slices: Int = 8) async throws -> [URL] {
    let folder = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: folder, "--slices", "\(slices)")
    return try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
  }

  private static let script = TestFiles.package.appendingPathComponent(
    "Scripts/test-support/peers/stow_peer.py"
  ).path

  /// Stores files in one request by dicomweb-client.
  func store(_ files: [URL], _ options: String...) async throws -> Answer {
    try await answer(["store", url] + options + files.map(\.path))
  }

  /// Sends files as `stow_peer.py` says, to the end.
  func send(_ how: String, _ files: [URL]) async throws -> Answer {
    try await answer(["raw", "\(port)", how] + files.map(\.path))
  }

  private func answer(_ arguments: [String]) async throws -> Answer {
    let result = try await runProcess(testPython, [Self.script] + arguments)
    guard let line = result.output.split(separator: "\n").last(where: { $0.hasPrefix("{") }) else {
      // Some close the connection without waiting.
      if result.status == 0 { return Answer(status: 0) }
      throw PhantomFailed(output: result.output)
    }
    return try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
  }

  /// Sends files, of which the request stays open.
  func leaveOpen(_ how: String, _ files: [URL]) async throws -> ChildProcess {
    let sender = try ChildProcess(
      testPython, [Self.script, "raw", "\(port)", how] + files.map(\.path),
      log: setup.folder.url.appendingPathComponent("sender.log"))
    try await waitUntil("the sender") { sender.output.contains("ready") }
    return sender
  }

  /// Asks by curl.
  func curl(_ path: String = "/studies", _ options: String...) async throws -> (
    code: Int, text: String
  ) {
    let result = try await runProcess(
      "/usr/bin/curl", ["-sS", "-w", "\n%{http_code}"] + options + ["\(url)\(path)"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
  }

  /// A value of a file by pydicom.
  func value(_ keyword: String, of file: URL) async throws -> String {
    let script =
      "import sys, pydicom; print(pydicom.dcmread(sys.argv[1])[sys.argv[2]].value, end='')"
    return try await runProcess(testPython, ["-c", script, file.path, keyword]).output
  }

  func detail(ofJob number: Int = 1) async throws -> String {
    try await segmentd("jobs", "--config", setup.configuration, "--job", "\(number)").output
  }
}
