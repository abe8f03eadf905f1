import Foundation
import TestSupport
import Testing
import UNETRPP

@testable import Segmentation

/// Networks in files by themselves, as `--variant FILE` takes them.
@Suite struct NetworkFileTests {
  private static let text = """
    blocks: acdc
    patch: [16, 32, 32]
    inputChannels: 1
    classes: 4
    stem: [1, 4, 4]
    featureSize: 4
    dims: [8, 16, 32, 64]
    heads: 4
    depths: [1, 1, 1, 1]
    decoderDepths: [1, 1, 1]
    projections: [16, 16, 8, 8]
    decoderProjections: [16, 16, 16]

    """

  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("network.yaml").path }

  init() throws { folder = try TemporaryFolder() }

  private func network(_ text: String) throws -> NetworkDescription {
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try NetworkDescription(file: file)
  }

  @Test func everySizeIsTaken() throws {
    #expect(
      try network(Self.text)
        == NetworkDescription(
          blocks: .acdc, patch: [16, 32, 32], inputChannels: 1, classes: 4, stem: [1, 4, 4],
          featureSize: 4, dims: [8, 16, 32, 64], heads: 4, depths: [1, 1, 1, 1],
          decoderDepths: [1, 1, 1], projections: [16, 16, 8, 8], decoderProjections: [16, 16, 16]))
  }

  @Test func unknownKeyIsNamedWithItsLine() {
    #expect(throws: ModelBundleError.unknownKey(path: file, key: "dropout", line: 13)) {
      try network(Self.text + "dropout: 0.1\n")
    }
  }

  @Test(arguments: [
    ("heads: 4\n", "", "heads is missing"), ("heads: 4", "heads: four", ":8: heads is invalid"),
    ("[16, 32, 32]", "[16, 33, 32]", "patch"), ("classes: 4", "classes: 1", ":4: classes"),
    ("blocks: acdc", "blocks: swin", ":1: blocks is invalid"),
  ])
  func whatIsNoNetworkIsRefused(_ old: String, _ new: String, _ message: String) {
    let spoiled = Self.text.replacingOccurrences(of: old, with: new)
    #expect(spoiled != Self.text)
    do {
      _ = try network(spoiled)
      Issue.record("\(new) was taken")
    } catch {
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  @Test func fileThatIsNotThereIsUnreadable() {
    let error = #expect(throws: ModelBundleError.self) { try NetworkDescription(file: file) }
    guard case .unreadable(file, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
