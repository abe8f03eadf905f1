import FileSystem
import Foundation
import JobLedger
import SeriesProcessing

extension MetricsText {
  /// What the ledger counts.
  mutating func add(_ statistics: LedgerStatistics) {
    addWork(statistics)
    addReception(statistics)
    addDeliveries(statistics)
    addHandover(statistics)
    addChecks(statistics.goldenChecks)
    addQuality(statistics.quality)
    add(
      "segmentd_stage_seconds", "Time of each stage of finished attempts at jobs.",
      bounds: Histogram.bounds,
      statistics.stages.sorted { ($0.key.model, $0.key.name) < ($1.key.model, $1.key.name) }.map {
        (["model": $0.model, "stage": $0.name], $1.buckets, $1.count, $1.sum)
      })
  }

  private mutating func addWork(_ statistics: LedgerStatistics) {
    add(
      "segmentd_studies", .gauge, "Studies by state, the least finished series counting.",
      LedgerStatistics.StudyState.allCases.map {
        (["state": $0.rawValue], Double(statistics.studies[$0] ?? 0))
      })
    let states = Set(JobState.allCases.map(\.rawValue)).union(statistics.jobs.keys).sorted()
    add(
      "segmentd_jobs", .gauge, "Jobs by state.",
      states.map { (["state": $0], Double(statistics.jobs[$0] ?? 0)) })
    add(
      "segmentd_job_oldest_waiting_seconds", .gauge,
      "Age of the oldest job that waits; 0 where none does.",
      [([:], Self.age(statistics.oldestWaitingJob))])
    add(
      "segmentd_job_attempts_total", .counter, "Attempts at jobs that have ended.",
      statistics.attempts.sorted { ($0.key.model, $0.key.outcome) < ($1.key.model, $1.key.outcome) }
        .map { (["model": $0.model, "outcome": $0.outcome], Double($1)) })
    add(
      "segmentd_processing_paused", .gauge, "1 where processing is paused or draining.",
      [([:], statistics.mode == .active ? 0 : 1)])
  }

  private mutating func addReception(_ statistics: LedgerStatistics) {
    let sources = ["command", "listener", "watch"]
    add(
      "segmentd_instances_received_total", .counter,
      "Instances received and kept, by their way in.",
      sources.map { (["source": $0], Double(statistics.instances[$0]?.count ?? 0)) })
    add(
      "segmentd_instances_received_bytes_total", .counter, "Bytes of the instances received.",
      sources.map { (["source": $0], Double(statistics.instances[$0]?.bytes ?? 0)) })
    // The usual ones from the beginning, so that the first refusal is an increase.
    let refusals = statistics.refusals.merging(
      [nil, 0x0110, 0x0122, 0xA700, 0xA900, 0xC000].map { ($0, 0) }, uniquingKeysWith: +)
    add(
      "segmentd_instances_refused_total", .counter,
      "Instances refused, by the DIMSE status that was answered.",
      refusals.sorted { ($0.key ?? -1) < ($1.key ?? -1) }.map {
        (["status": $0.map { String(format: "%04X", $0) } ?? "none"], Double($1))
      })
    add(
      "segmentd_associations_total", .counter, "Associations and STOW-RS requests that have ended.",
      statistics.associations.sorted { $0.key < $1.key }.map { (["outcome": $0], Double($1)) })
    add(
      "segmentd_associations_open", .gauge, "Associations and STOW-RS requests under way.",
      [([:], Double(statistics.openAssociations))])
  }

  private mutating func addDeliveries(_ statistics: LedgerStatistics) {
    add(
      "segmentd_deliveries", .gauge, "Results by destination and state of their delivery.",
      statistics.deliveries.sorted {
        ($0.key.destination, $0.key.state) < ($1.key.destination, $1.key.state)
      }.map { (["destination": $0.destination, "state": $0.state], Double($1)) })
    add(
      "segmentd_delivery_oldest_seconds", .gauge,
      "Age of the oldest result that is not delivered, by destination.",
      Set(statistics.deliveries.keys.map(\.destination)).sorted().map {
        (["destination": $0], Self.age(statistics.oldestUndelivered[$0]))
      })
  }

  /// Of a listener what waits for the head, and of a head what waits at its listeners.
  private mutating func addHandover(_ statistics: LedgerStatistics) {
    let own = [statistics.handover].compactMap { $0 }
    add(
      "segmentd_handover_waiting", .gauge, "Of a listener: entries that wait for the head.",
      own.map { ([:], Double($0.backlog.waiting)) })
    add(
      "segmentd_handover_oldest_seconds", .gauge,
      "Of a listener: age of the oldest entry that waits; 0 where none does.",
      own.map { ([:], Self.age($0.backlog.oldestAt)) })
    add(
      "segmentd_handover_failing_seconds", .gauge,
      "Of a listener: how long the head has not answered; 0 where it does.",
      own.map { ([:], Self.age($0.failingSince)) })
    add(
      "segmentd_handover_refused", .gauge,
      "Of a listener: instances that the head did not take.",
      own.map { ([:], Double($0.refused)) })
    add(
      "segmentd_listener_waiting", .gauge, "Of a head: entries that wait at each listener.",
      statistics.listeners.map { (["listener": $0.name], Double($0.waiting)) })
    add(
      "segmentd_listener_seen_seconds", .gauge, "Of a head: since each listener was heard last.",
      statistics.listeners.map { (["listener": $0.name], Self.age($0.lastSeenAt)) })
    add(
      "segmentd_listener_away", .gauge, "Of a head: 1 where the listener counts as away.",
      statistics.listeners.map { (["listener": $0.name], $0.awaySince == nil ? 0 : 1) })
  }

  private mutating func addChecks(_ checks: [GoldenCheck]) {
    let checks = checks.filter { $0.outcome != .omitted }
    add(
      "segmentd_golden_check_passed", .gauge,
      "1 where the last golden check of the model gave the labels that are recorded.",
      checks.map { (["model": $0.model], $0.outcome == .passed ? 1 : 0) })
    add(
      "segmentd_golden_check_timestamp_seconds", .gauge,
      "When the last golden check of the model ended, in seconds since 1970.",
      checks.map {
        (["model": $0.model], ($0.finishedAt?.timeIntervalSince1970 ?? 0).rounded())
      })
  }

  private mutating func addQuality(_ quality: [LedgerStatistics.Quality]) {
    let values: [(String, String, KeyPath<LedgerStatistics.Quality, Double>)] = [
      ("segmentd_field_dice_mean", "Mean", \.mean),
      ("segmentd_field_dice_least", "Lowest", \.least),
    ]
    add(
      "segmentd_field_comparisons", .gauge,
      "Comparisons of results with segmentations of others, by model and structure.",
      quality.map { (["model": $0.model, "structure": $0.structure], Double($0.count)) })
    for (name, which, value) in values {
      add(
        name, .gauge,
        "\(which) Dice of results and segmentations of others, by model and structure.",
        quality.map { (["model": $0.model, "structure": $0.structure], $0[keyPath: value]) })
    }
  }

  /// What is so of the machine and of this process.
  mutating func addProcess(isReady: Bool, disk: DiskSpace?, _ reserve: Int) {
    add(
      "segmentd_build_info", .gauge, "The version of the program and of its results.",
      [(["version": SegmentdVersion.current, "results": SegmentdVersion.results], 1)])
    add(
      "segmentd_ready", .gauge, "1 where images are taken, as /readyz says.",
      [([:], isReady ? 1 : 0)])
    if let disk {
      add(
        "segmentd_disk_size_bytes", .gauge, "Of the state directory's file system.",
        [([:], Double(disk.size))])
      add(
        "segmentd_disk_free_bytes", .gauge, "Free on the state directory's file system.",
        [([:], Double(disk.available))])
    }
    add(
      "segmentd_disk_reserve_bytes", .gauge, "Nothing is taken while less than this is free.",
      [([:], Double(reserve))])
    add(
      "segmentd_resident_memory_bytes", .gauge, "Memory of the daemon's processes.",
      MemoryBudget.ofDaemon.map { (["process": $0.process], Double($0.bytes)) })
  }

  /// What is so of a cluster that computes jobs.
  mutating func addCluster(excludedNodes: Int) {
    add(
      "segmentd_slurm_excluded_nodes", .gauge,
      "Nodes that are given no jobs, because they failed again and again.",
      [([:], Double(excludedNodes))])
  }

  private static func age(_ date: Date?) -> Double {
    date.map { max(0, Date().timeIntervalSince($0)).rounded() } ?? 0
  }
}

extension MemoryBudget {
  /// Resident memory of the daemon's processes, as the receiving process sees it.
  static var ofDaemon: [(process: String, bytes: Int)] {
    [("daemon", getppid()), ("receiver", getpid())].compactMap { name, process in
      resident(ofProcess: process).map { (name, Int($0)) }
    }
  }
}
