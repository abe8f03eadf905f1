import Foundation
import TestSupport
import Testing

/// A real Slurm cluster in namespaces; Scripts/slurm-lab.sh does more with it.
@Suite(.serialized, .limitedConcurrency) struct SlurmTests {
  private static let script = TestFiles.package.appendingPathComponent("Scripts/slurm").path

  /// Whether Slurm is installed and this process may make namespaces of its own.
  static let isAvailable: Bool = {
    let programs = [
      "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/sbin/munged", "/usr/bin/squeue",
      "/usr/bin/unshare", "/usr/bin/nsenter",
    ]
    guard getuid() == 0, programs.allSatisfy(FileManager.default.isExecutableFile(atPath:)) else {
      return false
    }
    let trial = Process()
    trial.executableURL = URL(fileURLWithPath: "/bin/bash")
    trial.arguments = [
      script + "/isolated.sh", "sh", "-c", "ip netns add a && ip link add type bridge",
    ]
    trial.standardError = FileHandle.nullDevice
    guard (try? trial.run()) != nil else { return false }
    trial.waitUntilExit()
    return trial.terminationStatus == 0
  }()

  /// Slurm's controller is killed after a submission, and the nodes have another model: every study ends once,
  /// with the bytes of `segmentd run`, or is held with the reason until that is mended.
  @Test(.enabled(if: isAvailable, "Slurm is not installed, or no namespaces can be made here"))
  func everyStudyEndsOnceWithTheSameBytes() async throws {
    let result = try await runProcess(
      "/bin/bash",
      [
        Self.script + "/isolated.sh", testPython, Self.script + "/lab.py", "--brief", "--segmentd",
        segmentdBinary,
      ])
    #expect(result.status == 0, "\(result.output)")
  }
}
