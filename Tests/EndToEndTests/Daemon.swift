import Foundation
import JobLedger
import Synchronization
import TestSupport

/// The real binary, as the tests built it.
let segmentdBinary: String = {
  // The test bundle is next to the executable.
  Bundle.main.bundleURL.appendingPathComponent("segmentd").path
}()

/// Runs one command of segmentd to its end.
func segmentd(_ arguments: String..., within seconds: Double = 1800) async throws -> ProcessResult {
  try await runProcess(segmentdBinary, arguments, within: seconds)
}

/// A job as `segmentd jobs --json` prints it.
struct JobRow: Decodable {
  struct Delivery: Decodable {
    var destination: String
    var state: String
    var attempts: Int
  }
  struct Object: Decodable {
    var kind: String
    var sopInstanceUID: String?
    var path: String
    var sha256: String?
  }
  var id: Int64
  var state: String
  var model: String
  var seriesInstanceUID: String
  var instances: Int
  var reason: String?
  var verdict: String?
  var verdictReasons: [String]
  var attempts: Int
  var objects: [Object]
  var deliveries: [Delivery]

  /// The DICOM segmentations of the result.
  var segmentations: [Object] { objects.filter { $0.kind == "seg" } }
  /// Of the first segmentation.
  var sopInstanceUID: String? { segmentations.first?.sopInstanceUID }
}

private struct JobsAnswer {
  var jobs: [JobRow]
  /// As they were before the command was run.
  var ledgerFiles: [[Int]]
  var at: ContinuousClock.Instant
}

/// A configuration in a folder of its own, and the daemon that runs on it.
final class DaemonSetup: Sendable {
  let folder: TemporaryFolder
  let port: Int
  let destinationPort: Int
  private let lastAnswer = Mutex<JobsAnswer?>(nil)
  var configuration: String { folder.url.appendingPathComponent("segmentd.yaml").path }
  var log: URL { folder.url.appendingPathComponent("segmentd.log") }
  var state: URL { folder.url.appendingPathComponent("state") }

  /// - Parameters:
  ///   - rules: the section of that name, in place of one rule for each of `models` by modality.
  ///   - more: further sections.
  ///   - assembly: the section of that name; by default what is incomplete waits no longer than anything else.
  init(
    models: [String: String] = ["CT": "untrained-tiny", "MR": "untrained-tiny-mr"],
    rules ownRules: String? = nil, more: String = "",
    assembly: String = "{quietSeconds: 1, incompleteSeconds: 1}", watch: URL? = nil,
    hasDestination: Bool = true
  ) throws {
    folder = try TemporaryFolder()
    port = try freePort()
    destinationPort = try freePort()
    let simple = models.sorted(by: <).map { "  - {model: \($1), modalities: [\($0)]}" }
    let rules = ownRules ?? "rules:\n" + simple.joined(separator: "\n")
    let bundles = TestFiles.fixtures.appendingPathComponent("models").path
    var text = """
      stateDirectory: \(folder.url.path)/state
      listener: {aeTitle: SEGMENTD, address: 127.0.0.1, port: \(port)}
      assembly: \(assembly)
      models: {directories: ["\(bundles)"]}
      \(rules)
      \(more)

      """
    if !more.contains("log:") { text += "log: {format: text}\n" }
    if hasDestination {
      text += "destinations:\n"
      text += "  - {name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(destinationPort)}\n"
    }
    if let watch { text += "watch:\n  - {folder: \"\(watch.path)\", settleSeconds: 0.5}\n" }
    try text.write(toFile: configuration, atomically: true, encoding: .utf8)
  }

  /// Starts the daemon and waits until it answers C-ECHO.
  ///
  /// - Parameters:
  ///   - wrapper: a command that runs it, such as a tracer.
  ///   - environment: further variables.
  func start(under wrapper: [String] = [], environment: [String: String] = [:]) async throws
    -> ChildProcess
  {
    let command = wrapper + [segmentdBinary, "serve", "--config", configuration]
    let daemon = try ChildProcess(
      command[0], Array(command.dropFirst()), log: log, environment: environment)
    try await answers(daemon)
    return daemon
  }

  /// Waits until C-ECHO is answered.
  func answers(_ daemon: ChildProcess) async throws {
    try await waitUntil("the listener", within: 900) {
      guard daemon.isRunning else { throw DaemonEnded(output: daemon.output) }
      return try await runProcess(
        "/usr/bin/echoscu", ["-aec", "SEGMENTD", "127.0.0.1", "\(self.port)"]
      ).status == 0
    }
  }

  /// Sends files over an association that ends as `how` says, or stays open in silence.
  func leaving(_ how: String, _ files: [URL]) throws -> ChildProcess {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    return try ChildProcess(
      testPython, [script.path, "leave", "\(port)", "SEGMENTD", how] + files.map(\.path),
      log: folder.url.appendingPathComponent("\(UUID().uuidString).log"))
  }

  /// The files of the spool that have something in them; others are made in advance.
  func spooledFiles() -> [URL] {
    let walk = FileManager.default.enumerator(
      at: state.appendingPathComponent("spool"), includingPropertiesForKeys: [.fileSizeKey])
    return (walk?.compactMap { $0 as? URL } ?? []).filter { file in
      let size = try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize
      return file.pathExtension == "dcm" && size ?? 0 > 0
    }
  }

  /// Sends a folder with DCMTK's storescu.
  func send(_ series: URL) async throws -> ProcessResult {
    try await runProcess(
      "/usr/bin/storescu",
      ["-R", "-aec", "SEGMENTD", "+sd", "+r", "127.0.0.1", "\(port)", series.path])
  }

  /// Makes series with pixels of their own, each in a folder.
  func makeAllSeries(_ count: Int, slices: Int, size: Int) async throws
    -> (folders: [URL], uids: [String])
  {
    var made: (folders: [URL], uids: [String]) = ([], [])
    for number in 0..<count {
      let place = folder.url.appendingPathComponent("series-\(number)")
      let uids = try await makeSeries(
        at: place, "--slices", "\(slices)", "--size", "\(size)", "--seed", "\(number)")
      made.folders.append(place)
      made.uids.append(uids.series)
    }
    return made
  }

  /// The answer to a C-STORE.
  struct Answer {
    /// As in `0x0000`.
    var status: String
    var seconds: Double
    var isSuccess: Bool { status == "0x0000" }
  }

  /// Sends each folder over an association of its own, all at the same time.
  ///
  /// - Parameter gate: holds back the last files of each.
  /// - Returns: the answer for each file that was answered.
  func sendTogether(_ folders: [URL], gate: SenderGate? = nil) async throws -> [URL: Answer] {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/network_peers.py")
    let result = try await runProcess(
      testPython,
      [script.path, "folders", "\(port)", "SEGMENTD"] + (gate?.options ?? [])
        + folders.map(\.path))
    let lines = result.output.split(separator: "\n").map { $0.split(separator: " ") }
      .filter { $0.count == 3 && $0[1].hasPrefix("0x") }
    return Dictionary(
      lines.map {
        (
          URL(fileURLWithPath: String($0[0])),
          Answer(status: String($0[1]), seconds: Double($0[2]) ?? .infinity)
        )
      }, uniquingKeysWith: { $1 })
  }

  /// How many of the files are in the spool, as the ledger says, with the pixels that they have.
  func kept(_ files: some Collection<URL>, series: [String]) throws -> Int {
    let ledger = try Ledger(path: state.appendingPathComponent("ledger.sqlite").path)
    let tails = try Set(
      series.flatMap { try ledger.instances(series: $0).all }.map {
        try Data(contentsOf: state.appendingPathComponent($0.spoolPath)).suffix(pixelBytes)
      })
    return try files.filter { tails.contains(try Data(contentsOf: $0).suffix(pixelBytes)) }.count
  }
  /// Of a slice of random pixels, enough to tell it from all others.
  private var pixelBytes: Int { 4096 }

  /// The command is asked again only where the ledger was written since, which most of the waiting is spent on.
  func jobs() async throws -> [JobRow] {
    let written = ledgerFiles()
    if let answer = lastAnswer.withLock({ $0 }), answer.ledgerFiles == written,
      answer.at.duration(to: .now) < .seconds(3)
    {
      return answer.jobs
    }
    let result = try await segmentd("jobs", "--config", configuration, "--json")
    let jobs = try JSONDecoder().decode([JobRow].self, from: Data(result.output.utf8))
    lastAnswer.withLock { $0 = JobsAnswer(jobs: jobs, ledgerFiles: written, at: .now) }
    return jobs
  }

  /// Sizes and times of the ledger and of what is not yet in it.
  private func ledgerFiles() -> [[Int]] {
    ["ledger.sqlite", "ledger.sqlite-wal"].map { name in
      var status = stat()
      guard stat(state.appendingPathComponent(name).path, &status) == 0 else { return [] }
      return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }
  }

  /// Waits until there are `count` jobs and all have ended.
  func endedJobs(_ count: Int = 1, within seconds: Double = 1800) async throws -> [JobRow] {
    let ended = ["completed", "held", "cancelled"]
    var last: [JobRow] = []
    try await waitUntil("\(count) ended jobs", within: seconds) {
      last = try await self.jobs()
      return last.count >= count && last.allSatisfy { ended.contains($0.state) }
    }
    return last
  }

  /// Waits until every result was delivered.
  func delivered(within seconds: Double = 1800) async throws {
    try await waitUntil("the deliveries", within: seconds) {
      try await self.jobs().flatMap(\.deliveries).allSatisfy { $0.state == "delivered" }
    }
  }
}

/// Keeps senders from ending before a test has done something in their middle, however slow the machine is.
struct SenderGate {
  private let file: URL
  /// So many files, the last ones, are sent only when it is open.
  private let count: Int

  init(_ setup: DaemonSetup, holds count: Int) {
    file = setup.folder.url.appendingPathComponent("gate-\(UUID().uuidString)")
    self.count = count
  }

  /// Of `network_peers.py`.
  var options: [String] { ["--hold", "\(count)", file.path] }

  func open() throws { try Data().write(to: file) }
}

/// A job should have been met while it runs, or a file that it writes.
struct NoRunningJob: Error, CustomStringConvertible {
  var description: String
}

struct DaemonEnded: Error, CustomStringConvertible {
  var output: String
  var description: String { "the daemon ended: \(output)" }
}

extension ChildProcess {
  /// The process of a daemon that receives; nil while there is none.
  var receivingProcess: Int32? {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.compactMap { Int32($0) }.first { candidate in
      guard let stat = processStatus(candidate), stat.parent == pid, stat.state != "Z" else {
        return false
      }
      let command = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(candidate)/cmdline"))
      return command?.range(of: Data("\0receive\0".utf8)) != nil
    }
  }
}

/// Whether a process has not ended, though nobody may have asked how.
func isRunning(_ pid: Int32) -> Bool { processStatus(pid).map { $0.state != "Z" } ?? false }

/// As /proc has it (proc(5)); nil where there is no such process.
private func processStatus(_ pid: Int32) -> (state: String, parent: Int32)? {
  guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
    let name = text.lastIndex(of: ")")
  else { return nil }
  let fields = text[text.index(after: name)...].split(separator: " ")
  guard fields.count > 1, let parent = Int32(fields[1]) else { return nil }
  return (String(fields[0]), parent)
}
