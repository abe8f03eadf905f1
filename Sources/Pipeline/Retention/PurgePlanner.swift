import ConfigurationFile
import FileSystem
import Foundation
import Ingest
import JobLedger

/// Finds what the configuration has removed now: by age first, then the oldest that is finished, as far as
/// the bounds of size and of the disk demand it. Nothing is changed.
struct PurgePlanner {
  let state: StateDirectory
  let ledger: Ledger
  let rules: SiteConfiguration.Retention
  /// Seconds that are added to the age of everything.
  let ahead: TimeInterval
  /// Bytes free on the disk.
  let freeBytes: Int

  private static let day = 86_400.0

  /// - Throws: `LedgerError`
  func plan() throws -> PurgePlan {
    var plan = PurgePlan()
    var left: [KeptFiles.Kind: [KeptFiles]] = [.originals: [], .results: []]
    if hasRules(for: .originals) {
      left[.originals] = try takeOld(try allOriginals(), &plan)
    }
    if hasRules(for: .results) {
      left[.results] = try takeOld(try allResults(), &plan)
    }
    if let limit = rules.originals.maximumGB {
      let beyond =
        try ledger.bytesOfOriginals() - bytes(.originals, plan) - byteCount(gigabytes: limit)
      let rule = "originals.maximumGB: \(text(limit))"
      try takeOldest([.originals], until: beyond, rule, &left, &plan)
    }
    if let limit = rules.results.maximumGB {
      let beyond = bytesOfResults() - bytes(.results, plan) - byteCount(gigabytes: limit)
      let rule = "results.maximumGB: \(text(limit))"
      try takeOldest([.results], until: beyond, rule, &left, &plan)
    }
    if let least = rules.minimumFreeGB {
      plan.freeBytes = freeBytes
      let rule = "minimumFreeGB: \(text(least))"
      try takeOldest(
        [.originals, .results], until: byteCount(gigabytes: least) - freeBytes - plan.bytes, rule,
        &left,
        &plan)
    }
    if let days = rules.events.days {
      plan.events = try ledger.removableEvents(
        before: ledger.dateShown(ago: days * Self.day - ahead))
    }
    return plan
  }

  private func hasRules(for kind: KeptFiles.Kind) -> Bool {
    if rules.minimumFreeGB != nil { return true }
    switch kind {
    case .originals:
      let originals = rules.originals
      return [
        originals.completedDays, originals.unusedDays, originals.heldDays, originals.maximumGB,
      ].contains { $0 != nil }
    case .results:
      let results = rules.results
      return [results.currentDays, results.supersededDays, results.maximumGB].contains {
        $0 != nil
      }
    }
  }

  private func age(_ state: KeptFiles.State) -> (key: String, days: Double)? {
    let (key, days): (String, Double?) =
      switch state {
      case .completed: ("originals.completedDays", rules.originals.completedDays)
      case .unused: ("originals.unusedDays", rules.originals.unusedDays)
      case .held: ("originals.heldDays", rules.originals.heldDays)
      case .current: ("results.currentDays", rules.results.currentDays)
      case .superseded: ("results.supersededDays", rules.results.supersededDays)
      }
    return days.map { (key, $0) }
  }

  /// The oldest first.
  private func allOriginals() throws -> [KeptFiles] {
    var all: [KeptFiles] = []
    var position: KeptPosition? = .start
    while let next = position {
      let portion = try ledger.keptOriginals(after: next)
      all += portion.files
      position = portion.next
    }
    return all.sorted { ($0.since, $0.seriesInstanceUID) < ($1.since, $1.seriesInstanceUID) }
  }

  private func allResults() throws -> [KeptFiles] {
    var all: [KeptFiles] = []
    var last: Int64? = 0
    while let next = last {
      let portion = try ledger.keptResults(after: next)
      all += portion.files
      last = portion.next
    }
    return all.sorted { ($0.since, $0.job ?? 0) < ($1.since, $1.job ?? 0) }
  }

  /// - Returns: what is not old enough; what is held is removed by its age alone, and not among it.
  private func takeOld(_ kept: [KeptFiles], _ plan: inout PurgePlan) throws -> [KeptFiles] {
    var left: [KeptFiles] = []
    for files in kept {
      if let (key, days) = age(files.state), ledger.age(of: files) + ahead >= days * Self.day {
        plan.items.append(try item(files, "\(key): \(text(days))"))
      } else if files.state != .held {
        left.append(files)
      }
    }
    return left
  }

  /// Takes the oldest of each kind in turn until so many bytes are found.
  private func takeOldest(
    _ kinds: [KeptFiles.Kind], until bytes: Int, _ rule: String,
    _ left: inout [KeptFiles.Kind: [KeptFiles]], _ plan: inout PurgePlan
  ) throws {
    var missing = bytes
    for kind in kinds {
      let all = left[kind] ?? []
      var taken = 0
      while missing > 0, taken < all.count {
        let item = try item(all[taken], rule)
        plan.items.append(item)
        missing -= item.bytes
        taken += 1
      }
      left[kind] = Array(all.dropFirst(taken))
    }
    if missing > 0 { plan.shortfalls[rule] = missing }
  }

  private func item(_ files: KeptFiles, _ rule: String) throws -> PurgePlan.Item {
    guard let job = files.job else {
      let (count, bytes) = try ledger.keptOriginals(ofSeries: files.seriesInstanceUID)
      return PurgePlan.Item(what: files, rule: rule, files: count, bytes: bytes)
    }
    let sizes = try ledger.placesOfResult(job).flatMap(sizes)
    return PurgePlan.Item(
      what: files, rule: rule, files: sizes.count, bytes: sizes.reduce(0, +))
  }

  private func bytes(_ kind: KeptFiles.Kind, _ plan: PurgePlan) -> Int {
    plan.items.filter { $0.what.kind == kind }.reduce(0) { $0 + $1.bytes }
  }

  private func bytesOfResults() -> Int {
    ResultFolders(state: state).numbers.flatMap { sizes("results/\($0)") }.reduce(0, +)
  }

  /// Of a file, or of those in a folder.
  private func sizes(_ place: String) -> [Int] {
    let path = state.file(place).path
    guard let status = FileStatus(path) else { return [] }
    guard status.isFolder else { return [status.size] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.compactMap { FileStatus("\(path)/\($0)")?.size }
  }

  private func text(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\(number)"
  }
}
