import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// The section by which a daemon is a listener or a head.
@Suite struct HandoverConfigurationTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("segmentd.yaml").path }

  init() throws {
    folder = try TemporaryFolder()
    let token = folder.url.appendingPathComponent("head.token")
    try Data("secret".utf8).write(to: token)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token.path)
  }

  private func load(_ text: String) throws(ConfigurationError) -> SiteConfiguration {
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try SiteConfiguration.load(file)
  }

  private func fault(_ text: String) -> String {
    do {
      _ = try load(text)
      return "none"
    } catch { return error.description }
  }

  private static let hash =
    "pbkdf2-sha256$600000$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8="

  private static func from(_ senders: String...) -> String {
    "web: {port: 8042}\nhandover: {from: [\(senders.joined(separator: ", "))]}"
  }

  private static func sender(_ name: String, _ token: Int = 0) -> String {
    let hash = hash.replacing("AAEC", with: "AAE\(["C", "D"][token])")
    return "{name: \(name), tokenHash: \"\(hash)\"}"
  }

  @Test func theSectionSaysWhatADaemonIs() throws {
    #expect(try load("log: {level: info}").role == .all)
    let listener = try load("handover: {to: {url: \"https://head:8042\", tokenFile: head.token}}")
    #expect(listener.role == .listener)
    #expect(
      listener.handover.to?.tokenFile
        == folder.url.standardizedFileURL.appendingPathComponent("head.token").path)
    let head = try load(Self.from(Self.sender("ward-1"), Self.sender("ward-2", 1)))
    #expect(head.role == .head && head.handover.from.map(\.name) == ["ward-1", "ward-2"])
    #expect(head.handover.patienceSeconds == 60)
  }

  /// The sections that the configuration file shows in comments.
  @Test func theExamplesAreValid() throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let sections = text.components(separatedBy: "# handover:\n").dropFirst()
    try #require(sections.count == 2)
    let examples = sections.map { section in
      "handover:\n"
        + section.components(separatedBy: "\n").prefix { $0.hasPrefix("#  ") }
        .map { String($0.dropFirst(2)) }.joined(separator: "\n")
    }
    #expect(try load(examples[0]).role == .listener)
    #expect(try load("web: {port: 8042}\n" + examples[1]).role == .head)
  }

  @Test func whatMakesNoSenseIsRefused() {
    let to = "handover: {to: {url: \"https://head\", tokenFile: head.token}"
    for (text, words) in [
      ("\(to), from: [\(Self.sender("a"))]}", "it cannot be both"),
      ("\(to), patienceSeconds: 2}", "handover.patienceSeconds"),
      ("handover: {to: {url: \"http://head\", tokenFile: head.token}}", "in the clear"),
      ("handover: {to: {url: \"https://head\", tokenFile: none}}", "cannot be read"),
      ("handover: {to: {url: \"https://head\"}}", "tokenFile"),
      ("handover: {from: [\(Self.sender("a"))]}", "add a section web"),
      (Self.from(Self.sender("a"), Self.sender("a")), "used twice"),
      (Self.from(Self.sender("a/b")), "is not a name"),
      (Self.from(Self.sender("a"), Self.sender("b")), "has the same token"),
      (Self.from("{name: a, tokenHash: secret}"), "hash-password"),
      (
        "web: {port: 8042, prefix: /handover, stow: true}",
        "is a path of the dashboard"
      ),
    ] { #expect(fault(text).contains(words), "\(text): \(fault(text))") }
  }
}
