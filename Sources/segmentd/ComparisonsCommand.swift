import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger

struct ComparisonsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "comparisons",
    abstract: "Show how far results agree with segmentations that others made of the same series.",
    discussion: """
      Segmentation objects and structure sets made by others that arrive by C-STORE, STOW-RS or in a watch folder \
      are stored, never segmented, and compared with the results of the series that they reference, structure by \
      structure, matched by their codes, or, for regions without codes, by their names: Dice, HD95 in mm, both \
      volumes in ml. segmentd's own objects that come back are ignored.

      By default one line for each model, version, scanner, month and structure; with --list one for each comparison \
      and structure. --export writes images and labels for `segmentd fine-tune --corrections`: \
      FOLDER/images/SERIES-UID/ and FOLDER/labels/SERIES-UID.dcm, the newest of each series.

      Only reads the ledger; --export copies files from the spool.
      """
        + examples(
          "segmentd comparisons --model liver --newer-than 90d",
          "segmentd comparisons --export corrections"))

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("Of this model.", valueName: "name"), completion: .model)
  var model: String?

  @Option(
    name: .customLong("newer-than"),
    help: ArgumentHelp("Newer than this, such as 12h, 2d or 90d.", valueName: "age"))
  var newerThan: Age?

  @Flag(help: "List each comparison.")
  var list = false

  @Option(
    help: ArgumentHelp("Write images and labels here.", valueName: "folder"), completion: .directory
  )
  var export: String?

  @Flag(help: "Print JSON: each comparison.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let state = StateDirectory(existing: configuration.stateDirectory)
    let ledger = try Ledger(reading: state.ledger.path)
    let comparisons = try ledger.comparisons(
      model: model, since: newerThan.map { Date() - $0.seconds })
    if let export {
      let count = try CorrectionExport(state: state, ledger: ledger).write(
        comparisons, to: URL(fileURLWithPath: export))
      warn("\(count) series written to \(export)")
    }
    if json { return print(try encodeJSON(comparisons)) }
    guard !comparisons.isEmpty else { return print("no comparisons") }
    print(list ? listTable(comparisons) : summaryTable(comparisons))
  }

  private func listTable(_ comparisons: [Comparison]) -> String {
    let head = [
      "DATE", "JOB", "MODEL", "SERIES", "MADE WITH", "STRUCTURE", "DICE", "HD95", "OURS", "THEIRS",
    ]
    return formatTable(
      [head]
        + comparisons.flatMap { one -> [[String]] in
          let start = [
            String(one.at.ISO8601Format().prefix(10)), "\(one.job)",
            "\(one.model) \(one.modelVersion)", one.seriesInstanceUID, one.madeWith,
          ]
          if let fault = one.fault { return [start + [fault, "-", "-", "-", "-"]] }
          return one.scores.map {
            start + [
              $0.segment, String(format: "%.3f", $0.dice), Self.millimetres($0.hd95),
              String(format: "%.1f", $0.ourMillilitres),
              String(format: "%.1f", $0.theirMillilitres),
            ]
          }
        })
  }

  private func summaryTable(_ comparisons: [Comparison]) -> String {
    struct Group: Hashable {
      var model: String
      var scanner: String
      var month: String
      var segment: String
    }
    var groups: [Group: [ComparisonScore]] = [:]
    var order: [Group] = []
    for one in comparisons {
      for score in one.scores {
        let group = Group(
          model: "\(one.model) \(one.modelVersion)", scanner: one.scanner,
          month: String(one.at.ISO8601Format().prefix(7)), segment: score.segment)
        if groups[group] == nil { order.append(group) }
        groups[group, default: []].append(score)
      }
    }
    let head = ["MONTH", "MODEL", "SCANNER", "STRUCTURE", "N", "DICE", "LEAST", "HD95", "VOLUME"]
    let rows = order.map { group -> [String] in
      let scores = groups[group] ?? []
      let distances = scores.compactMap(\.hd95)
      let ours = scores.reduce(0) { $0 + $1.ourMillilitres }
      let theirs = scores.reduce(0) { $0 + $1.theirMillilitres }
      return [
        group.month, group.model, group.scanner.isEmpty ? "-" : group.scanner, group.segment,
        "\(scores.count)",
        String(format: "%.3f", scores.reduce(0) { $0 + $1.dice } / Double(scores.count)),
        String(format: "%.3f", scores.map(\.dice).min() ?? 0),
        Self.millimetres(
          distances.isEmpty ? nil : distances.reduce(0, +) / Double(distances.count)),
        theirs > 0 ? String(format: "%+.1f %%", 100 * (ours / theirs - 1)) : "-",
      ]
    }
    let faults = comparisons.count { $0.fault != nil }
    return formatTable([head] + rows)
      + (faults == 0 ? "" : "\n\(faults) could not be compared: see --list")
  }

  private static func millimetres(_ distance: Double?) -> String {
    distance.map { String(format: "%.1f mm", $0) } ?? "-"
  }
}

/// Writes images and the segmentations that others made of them where a training finds them.
struct CorrectionExport {
  let state: StateDirectory
  let ledger: Ledger

  /// - Returns: of how many series. One whose files are not all here is left out, with a warning.
  func write(_ comparisons: [Comparison], to folder: URL) throws -> Int {
    // The newest of each series.
    let newest = Dictionary(
      comparisons.filter { $0.fault == nil }.map { ($0.seriesInstanceUID, $0) },
      uniquingKeysWith: { $1 })
    var written = 0
    for (series, comparison) in newest.sorted(by: { $0.key < $1.key }) {
      let labels = state.file(comparison.spoolPath)
      let images = try ledger.instances(series: series).current
      guard !images.isEmpty,
        (images.map { state.file($0.spoolPath) } + [labels]).allSatisfy({
          FileManager.default.isReadableFile(atPath: $0.path)
        })
      else {
        warn("series \(series): its files are not all here any more")
        continue
      }
      let target = folder.appendingPathComponent("images/\(series)")
      for (number, image) in images.enumerated() {
        try copy(state.file(image.spoolPath), to: target, named: "\(number + 1).dcm")
      }
      try copy(labels, to: folder.appendingPathComponent("labels"), named: "\(series).dcm")
      written += 1
    }
    return written
  }

  private func copy(_ file: URL, to folder: URL, named name: String) throws {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let copy = folder.appendingPathComponent(name)
    try? FileManager.default.removeItem(at: copy)
    try FileManager.default.copyItem(at: file, to: copy)
  }
}
