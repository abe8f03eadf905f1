import Foundation

/// A CT series in a folder of its own, made for one test.
public struct PhantomSeries: Sendable {
  public let folder: TemporaryFolder
  public let study: String
  public let series: String
  public let files: [URL]

  public init(slices: Int) async throws {
    folder = try TemporaryFolder()
    let made = try await runProcess(
      testPython, [QueryArchive.script, "phantom", folder.url.path, "\(slices)"])
    let uids = made.output.split(whereSeparator: \.isWhitespace).map(String.init)
    guard made.status == 0, uids.count == 2 else { throw PhantomFailed(output: made.output) }
    (study, series) = (uids[0], uids[1])
    files = try FileManager.default.contentsOfDirectory(
      at: folder.url, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
  }

  struct PhantomFailed: Error {
    var output: String
  }
}

/// An archive by pynetdicom, well-behaved or odd: see `query_peers.py`.
public final class QueryArchive: Sendable {
  static let script =
    TestFiles.package.appendingPathComponent("Scripts/test-support/peers/query_peers.py").path

  public let port: Int
  public let folder: TemporaryFolder
  private let log: TemporaryFolder
  private let process: ChildProcess

  /// - Parameters:
  ///   - files: what it has at first.
  ///   - behaviours: of `query_peers.py`.
  ///   - port: where it listens as PACS.
  public init(_ files: [URL], _ behaviours: String..., port: Int? = nil) async throws {
    self.port = try port ?? freePort()
    (folder, log) = (try TemporaryFolder(), try TemporaryFolder())
    process = try ChildProcess(
      testPython, [Self.script, "archive", "\(self.port)", "PACS", folder.url.path] + behaviours,
      log: log.url.appendingPathComponent("log"))
    try add(files)
    try await waitUntil("the archive", within: 900) {
      guard self.process.isRunning else { throw ArchiveEnded(output: self.process.output) }
      return try await echo("PACS", self.port)
    }
  }

  public func add(_ files: [URL]) throws {
    for file in files {
      try FileManager.default.copyItem(
        at: file, to: folder.url.appendingPathComponent(file.lastPathComponent))
    }
  }

  public func stop() async throws { try await process.end(SIGKILL) }

  struct ArchiveEnded: Error {
    var output: String
  }
}

/// DCMTK's archive.
public final class Dcmqrscp: Sendable {
  public let port: Int
  private let folder: TemporaryFolder
  private let process: ChildProcess

  /// - Parameters:
  ///   - files: what it has.
  ///   - destination: the port of SEGMENTD, for C-MOVE.
  public init(_ files: [URL], destination: Int = 104) async throws {
    port = try freePort()
    folder = try TemporaryFolder()
    let storage = folder.url.appendingPathComponent("storage")
    try FileManager.default.createDirectory(at: storage, withIntermediateDirectories: true)
    let settings = folder.url.appendingPathComponent("dcmqrscp.cfg")
    try """
    NetworkTCPPort = \(port)
    MaxPDUSize = 16384
    MaxAssociations = 16
    HostTable BEGIN
    segmentd = (SEGMENTD, 127.0.0.1, \(destination))
    HostTable END
    AETable BEGIN
    PACS \(storage.path) RW (200, 1024mb) ANY
    AETable END
    """.write(to: settings, atomically: true, encoding: .utf8)
    process = try ChildProcess(
      "/usr/bin/dcmqrscp", ["-c", settings.path],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("dcmqrscp", within: 900) { try await echo("PACS", self.port) }
    guard !files.isEmpty else { return }
    let stored = try await runProcess(
      "/usr/bin/storescu", ["-aec", "PACS", "127.0.0.1", "\(port)"] + files.map(\.path))
    guard stored.status == 0 else { throw StoreFailed(output: stored.output) }
  }

  public func stop() async throws { try await process.end(SIGKILL) }

  struct StoreFailed: Error {
    var output: String
  }
}

private func echo(_ title: String, _ port: Int) async throws -> Bool {
  try await runProcess("/usr/bin/echoscu", ["-to", "3", "-aec", title, "127.0.0.1", "\(port)"])
    .status == 0
}
