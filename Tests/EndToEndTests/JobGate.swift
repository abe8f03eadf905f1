import Foundation
import TestSupport
import Testing

/// Keeps the jobs of a daemon from ending before a test has done something in their middle, however slow the machine is:
/// writing their checkpoint waits, by `disk_fault.c`.
struct JobGate {
  /// Which checkpoint waits; the raw values are those of `disk_fault.c`.
  enum Checkpoint: Int32 {
    case first = -1
    /// When there is one already.
    case second = -2
  }

  private let control: URL
  private let library: URL

  /// - Parameter setup: whose daemon writes checkpoints after each patch (``everyPatch``).
  init(_ setup: DaemonSetup, at checkpoint: Checkpoint = .first) async throws {
    let folder = setup.folder.url
    control = folder.appendingPathComponent("disk_fault")
    library = folder.appendingPathComponent("disk_fault.so")
    let source = TestFiles.package.appendingPathComponent("Scripts/test-support/disk_fault.c")
    let compiled = try await runProcess(
      "/usr/bin/env", ["clang", "-shared", "-fPIC", "-o", library.path, source.path])
    try #require(compiled.status == 0, "\(compiled.output)")
    let path = Data((setup.state.resolvingSymlinksInPath().path + "/checkpoints/").utf8)
    try #require(path.count < 252)
    var bytes = Data()
    for number in [checkpoint.rawValue, 1] {
      withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }
    bytes += path + Data(count: 256 - path.count)
    try bytes.write(to: control)
  }

  /// The section `inference` for the daemon's configuration.
  static let everyPatch = "inference: {checkpointSeconds: 0.001}"

  /// For the daemon.
  var environment: [String: String] {
    ["LD_PRELOAD": library.path, "DISK_FAULT_FILE": control.path]
  }

  /// Waits until a job is at the gate.
  func job() async throws {
    try await waitUntil("a job at the gate") {
      try Data(contentsOf: control).suffix(4).contains { $0 != 0 }
    }
  }

  func open() throws {
    let file = try FileHandle(forWritingTo: control)
    try file.write(contentsOf: Data(count: 4))
    try file.close()
  }
}
