import Foundation

/// Where the tests find their files.
public enum TestFiles {
  /// The package's root folder.
  public static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Files of ours that travel with the package.
  public static let fixtures = package.appendingPathComponent("Fixtures")

  /// The folder of real scanner data and golden files next to the package, where it exists.
  public static let shared: URL? = {
    let folder = package.deletingLastPathComponent().appendingPathComponent("shared")
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()

  /// Why a test on real data does not run.
  public static let sharedIsMissing = "the folder ../shared with real scanner data is not here"
}

/// A folder that is removed when the value goes away.
public final class TemporaryFolder: Sendable {
  public let url: URL

  public init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// Runs `work` on threads of their own, not on tasks: all of them may block. Returns when all have ended.
public func onThreads(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
  let group = DispatchGroup()
  for number in 0..<count {
    group.enter()
    Thread {
      work(number)
      group.leave()
    }.start()
  }
  group.wait()
}
