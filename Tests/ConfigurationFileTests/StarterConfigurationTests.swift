import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// What `segmentd config init` writes.
@Suite struct StarterConfigurationTests {
  private func load(_ starter: StarterConfiguration) throws -> SiteConfiguration {
    try ConfigurationSource(file: "/nowhere/segmentd.yaml", text: starter.text).configuration()
  }

  @Test func theDefaultsAreValid() throws {
    let configuration = try load(StarterConfiguration())
    #expect(configuration.stateDirectory == "/var/lib/segmentd")
    #expect(configuration.listeners.map(\.address) == ["127.0.0.1"])
    #expect(configuration.rules.isEmpty && configuration.destinations.isEmpty)
    #expect(configuration.nightlyCheck?.hour == 2)
  }

  @Test func whatIsGivenIsInIt() throws {
    var starter = StarterConfiguration()
    starter.aeTitle = "NO"
    starter.port = 104
    starter.callingAETitles = ["CT1", "007"]
    starter.destinations = try ["PACS@10.0.0.5:104", "VNA@[::1]:11113"].map {
      try #require(StarterConfiguration.Destination($0))
    }
    starter.models = [
      .init(name: "cardiac", modalities: ["MR"]), .init(name: "hippocampus", modalities: ["MR"]),
      .init(name: "liver", modalities: ["CT", "PT"]),
    ]
    let configuration = try load(starter)
    #expect(configuration.listeners.map(\.aeTitle) == ["NO"])
    #expect(configuration.listeners.map(\.callingAETitles) == [["CT1", "007"]])
    #expect(
      configuration.destinations.map(\.place) == ["PACS at 10.0.0.5:104", "VNA at ::1:11113"])
    #expect(configuration.rules.map(\.model) == ["cardiac", "hippocampus", "liver"])
  }

  /// No text is more than a value: what would be YAML is quoted.
  @Test(arguments: ["a\" #b", "x\nlog: {level: debug}", "\\", "{a: 1}", "~", "tab\there"])
  func aTextIsNeverSyntax(text: String) throws {
    var starter = StarterConfiguration()
    starter.stateDirectory = "/" + text
    let configuration = try load(starter)
    #expect(configuration.stateDirectory == "/" + text)
    #expect(configuration.log.level == .info)
  }

  /// The rules of the models that come with segmentd are those of the example.
  @Test func rulesAreThoseOfTheExample() throws {
    let example = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    #expect(StarterConfiguration.rules.keys.sorted() == ["cardiac", "hippocampus"])
    for rule in StarterConfiguration.rules.values { #expect(example.contains(rule)) }
  }

  @Test(arguments: ["", "PACS", "PACS@host", "@host:1", "PACS@:1", "PACS@host:0", "PACS@host:x"])
  func whatIsNoDestinationIsRefused(text: String) {
    #expect(StarterConfiguration.Destination(text) == nil)
  }

  /// A wrong value is named with its line, also where only the whole tells that it is wrong.
  @Test(arguments: [
    ("listener:\n  port: 0\n", 2), ("log: {}\nassembly:\n  quietSeconds: 0\n", 3),
    (
      "destinations:\n  - {name: a, aeTitle: A, host: h, port: 1}\n  - name: b\n    aeTitle: A\n"
        + "    host: h\n    port: 0\n", 3
    ),
    ("watch:\n  - folder: none\n", 1),
  ])
  func aWrongValueIsNamedWithItsLine(text: String, line: Int) {
    #expect(throws: ConfigurationError.self) {
      do {
        _ = try ConfigurationSource(file: "/f.yaml", text: text).configuration()
      } catch {
        #expect("\(error)".hasPrefix("/f.yaml:\(line): "), "\(error)")
        throw error
      }
    }
  }
}
