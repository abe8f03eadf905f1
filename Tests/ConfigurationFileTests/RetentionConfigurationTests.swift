import Foundation
import StrictYAML
import TestSupport
import Testing

@testable import ConfigurationFile

@Suite struct RetentionConfigurationTests {
  private func load(_ text: String, listener: String = "") throws -> SiteConfiguration {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    try "retention: \(text)\n\(listener)".write(to: file, atomically: true, encoding: .utf8)
    return try SiteConfiguration.load(file.path)
  }

  private func error(_ text: String, listener: String = "") -> String {
    let error = #expect(throws: ConfigurationError.self) {
      try load(text, listener: listener)
    }
    return error?.description ?? ""
  }

  @Test func byDefaultNothingIsRemoved() throws {
    let retention = try load("{}").retention
    #expect(!retention.isConfigured && retention == SiteConfiguration.Retention())
    #expect(retention.intervalMinutes == 60)
  }

  @Test func everyKeyIsRead() throws {
    let retention = try load(
      """
      {originals: {completedDays: 30, unusedDays: 0, heldDays: 90.5, maximumGB: 500},
        results: {currentDays: 180, supersededDays: 7, maximumGB: 20}, events: {days: 400},
        minimumFreeGB: 50, intervalMinutes: 10}
      """
    ).retention
    #expect(retention.isConfigured)
    #expect(retention.originals.completedDays == 30 && retention.originals.unusedDays == 0)
    #expect(retention.originals.heldDays == 90.5 && retention.originals.maximumGB == 500)
    #expect(retention.results.currentDays == 180 && retention.results.supersededDays == 7)
    #expect(retention.results.maximumGB == 20 && retention.events.days == 400)
    #expect(retention.minimumFreeGB == 50 && retention.intervalMinutes == 10)
  }

  /// The history is kept for six months at least, and no shorter than what it is about.
  @Test func theHistoryIsKeptLongEnough() throws {
    #expect(error("{events: {days: 182}}").contains("retention.events.days: 182.0"))
    #expect(try load("{events: {days: 183}}").retention.events.days == 183)
    let shorter = error("{events: {days: 200}, originals: {heldDays: 365}}")
    #expect(shorter.contains("events.days: 200.0 is less than originals.heldDays: 365.0"))
    #expect(error("{events: {days: 200}, results: {currentDays: 201}}").contains("less than"))
  }

  @Test(arguments: [
    ("{originals: {completedDays: -1}}", "originals.completedDays"),
    ("{results: {supersededDays: .inf}}", "results.supersededDays"),
    ("{originals: {maximumGB: 0}}", "originals.maximumGB"),
    ("{minimumFreeGB: -5}", "minimumFreeGB"), ("{intervalMinutes: 0}", "intervalMinutes"),
    ("{originals: {days: 3}}", "days"), ("{volumes: {days: 3}}", "volumes"),
  ])
  func aWrongValueIsNamed(text: String, key: String) {
    #expect(error(text).contains(key))
  }

  /// Below the reserve nothing would be received, and nothing removed.
  @Test func theWatermarkIsAboveTheReserve() throws {
    let listener = "listener: {aeTitle: A, port: 11112, limits: {diskReserveGB: 10}}\n"
    #expect(error("{minimumFreeGB: 10}", listener: listener).contains("diskReserveGB: 10.0"))
    #expect(try load("{minimumFreeGB: 11}", listener: listener).retention.minimumFreeGB == 11)
  }
}
