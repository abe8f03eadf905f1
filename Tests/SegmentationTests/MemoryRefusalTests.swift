import Checkpoints
import Foundation
import Testing
import UNETRPP

@testable import Segmentation

@Suite struct MemoryRefusalTests {
  /// Under a limit of the address space, in a process of its own: a network that has no room is an
  /// error, and the process goes on.
  @Test func aNetworkWithoutMemoryIsAnError() async {
    await #expect(processExitsWith: .success) {
      let bundle = try ModelBundle.load(
        at: ModelFolders.embedded.appendingPathComponent("hippocampus"))
      let weights = try SafetensorsFile(path: bundle.weights.path)
      // In pages: the first number is the size of the address space.
      let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        .split(separator: " ").first.flatMap { Int($0) }
      let size = try #require(pages) * sysconf(Int32(_SC_PAGESIZE))
      var limit = rlimit(rlim_cur: rlim_t(size + (32 << 20)), rlim_max: rlim_t.max)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
      let error = #expect(throws: NetworkError.self) {
        try Network(description: bundle.network, weights: weights, threads: 1)
      }
      guard case .notEnoughMemory(let bytes) = error, bytes > 32 << 20 else { exit(3) }
      // With the limit lifted the same network loads.
      limit.rlim_cur = .max
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
      _ = try Network(description: bundle.network, weights: weights, threads: 1)
      exit(0)
    }
  }
}
