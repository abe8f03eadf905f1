import ConfigurationFile
import FileSystem
import Foundation
import Segmentation
import TestSupport
import Testing
import Traces

@testable import JobLedger
@testable import Pipeline

/// Board, alerts and guide name metrics that there are.
@Suite struct MonitoringFilesTests {
  /// The names at /metrics, of a daemon that has done everything of which there is a metric.
  private var names: Set<String> {
    var text = MetricsText()
    var statistics = LedgerStatistics()
    statistics.quality = [
      .init(model: "m", structure: "liver", count: 2, mean: 0.75, least: 0.5)
    ]
    text.add(statistics)
    text.addProcess(isReady: true, disk: DiskSpace(of: "/"), 1)
    text.add(TraceCounts())
    text.addCluster(excludedNodes: 1)
    let types = text.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
    return types.reduce(into: []) { names, line in
      let words = line.split(separator: " ")
      let name = String(words[2])
      if words[3] == "histogram" {
        names.formUnion(["_bucket", "_sum", "_count"].map { name + $0 })
      }
      names.insert(name)
    }
  }

  private func used(in file: String) throws -> Set<String> {
    let text = try TextFile.read(TestFiles.package.appendingPathComponent(file).path)
    return Set(text.matches(of: /segmentd_[a-z_]+[a-z]/).map { String($0.output) })
  }

  @Test(arguments: ["Config/grafana-dashboard.json", "Config/prometheus-alerts.yml"])
  func whatIsShownAndAlertedIsMeasured(file: String) throws {
    let used = try used(in: file)
    #expect(used.count > 5)
    #expect(used.subtracting(names) == [])
    #expect(used.contains("segmentd_field_dice_mean"))
  }

  @Test func theGuideHasEachMetric() throws {
    let page = "Sources/segmentd/Documentation.docc/Operation.md"
    let text = try TextFile.read(TestFiles.package.appendingPathComponent(page).path)
    for name in names.subtracting(["segmentd_disk_size_bytes", "segmentd_disk_reserve_bytes"])
    where !["_bucket", "_sum", "_count"].contains(where: name.hasSuffix) {
      #expect(
        text.contains("`\(name)`") || text.contains("`…\(name.dropFirst(27))`"), "\(name)")
    }
  }

  /// The words in backquotes of the first column of a table of the guide.
  private func table(_ heading: String) throws -> [String] {
    let text = try TextFile.read(
      TestFiles.package.appendingPathComponent(
        "Sources/segmentd/Documentation.docc/Operation.md"
      ).path)
    let start = try #require(text.range(of: "\n| \(heading) |"))
    let rows = text[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
      .dropFirst(2).prefix { $0.hasPrefix("|") }
    return rows.flatMap { row in
      (row.split(separator: "|").first ?? "").split(
        separator: "`", omittingEmptySubsequences: false
      ).enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
  }

  /// What was sent to a receiver of traces and to a recipient of messages is noted in one table.
  @Test func noRecipientHasTheNameOfTheReceiverOfTraces() {
    #expect(SiteConfiguration.Notifications.reservedName == Ledger.traceReceiver)
  }

  @Test func theGuideHasEachSpanAndAttribute() throws {
    let stages = Stage.allCases.map(\.rawValue)
    let names = Span.Name.allCases.map(\.rawValue)
    #expect(try table("span").filter { !names.contains($0) } == stages)
    #expect(Set(try table("span")) == Set(names + stages))
    #expect(Set(try table("attribute")) == Set(Span.Attribute.allCases.map(\.rawValue)))
  }

  @Test func fieldQualityIsMeasured() {
    var text = MetricsText()
    var statistics = LedgerStatistics()
    statistics.quality = [
      .init(model: "m", structure: "liver", count: 2, mean: 0.75, least: 0.5)
    ]
    text.add(statistics)
    for line in [
      #"segmentd_field_comparisons{model="m",structure="liver"} 2"#,
      #"segmentd_field_dice_mean{model="m",structure="liver"} 0.75"#,
      #"segmentd_field_dice_least{model="m",structure="liver"} 0.5"#,
    ] { #expect(text.text.contains(line + "\n"), "\(line)") }
  }
}
