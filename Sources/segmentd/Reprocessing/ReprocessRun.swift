import Foundation
import Ingest
import JobLedger
import Pipeline

/// Runs the jobs of `reprocess` where no daemon does, until one starts.
final class ReprocessRun {
  enum End {
    /// The jobs have ended.
    case ended
    /// A daemon runs those that are left.
    case leftToDaemon
  }

  private let parts: ConfiguredParts
  private var use: StateDirectoryUse

  init(_ parts: ConfiguredParts, use: StateDirectoryUse) {
    self.parts = parts
    self.use = use
  }

  /// Whether this process holds the lock of the state directory.
  var isAlone: Bool {
    if case .ours = use { true } else { false }
  }

  /// Gives the state directory up where a daemon waits for it.
  func leaveToDaemon() throws {
    if isAlone, parts.state.isDaemonWaiting { use = .others(nil) }
  }

  /// Runs jobs that have been made, or waits for a daemon that does.
  ///
  /// - Parameter waits: whether it is waited for them where a daemon runs them.
  func finish(_ made: MadeJobs, waits: Bool) async throws -> End {
    guard !made.jobs.isEmpty else { return .ended }
    if let pause = try parts.ledger.processingState().pauseText {
      warn("\(pause); the jobs wait for segmentd resume and a daemon")
    }
    let start = ContinuousClock.now
    try leaveToDaemon()
    if try await takesLock() {
      try parts.ledger.rescue()
      if try await runAll(made, since: start) { return .ended }
    }
    let progress = try parts.ledger.progress(ofJobs: made.jobs.map(\.id))
    let left = made.jobs.count - progress.ended
    guard left > 0 else { return .ended }
    warn(
      "a daemon is using this state directory and will run \(left == 1 ? "the job" : "the \(left) jobs")"
        + " that \(left == 1 ? "is" : "are") left")
    guard waits else { return .leftToDaemon }
    try await follow(made.jobs.map(\.id))
    return .ended
  }

  /// Waits for another command that runs jobs.
  ///
  /// - Returns: false where a daemon has the directory.
  private func takesLock() async throws -> Bool {
    var told: StateDirectoryHolder?
    while true {
      switch use {
      case .ours: return true
      case .others(let holder):
        // Of an unknown one it is not known that it ever ends; a daemon that waits comes first.
        guard let holder, !holder.isDaemon else {
          guard parts.state.isDaemonWaiting else { return false }
          break
        }
        if told != holder {
          warn("waiting for \(holder), which is using the state directory")
          told = holder
        }
      }
      try await Task.sleep(for: .milliseconds(200))
      guard !parts.state.isDaemonWaiting else { continue }
      use = try parts.state.lockOrHolder(for: "reprocess")
    }
  }

  /// - Returns: false where a daemon took over before the end.
  private func runAll(_ made: MadeJobs, since start: ContinuousClock.Instant) async throws -> Bool {
    for (number, job) in zip(1..., made.jobs) {
      while start + .seconds(job.delay) > .now, !parts.state.isDaemonWaiting {
        try await Task.sleep(for: .milliseconds(200))
      }
      // Not begun where it would be interrupted at once.
      let isOurs = !parts.state.isDaemonWaiting
      if isOurs, made.jobs.count > 1 { warn("job \(job.id), \(number) of \(made.jobs.count)") }
      guard isOurs, try await runUnlessDaemonWaits(job.id) else {
        use = .others(nil)
        warn("a daemon has started: it gets the state directory")
        return false
      }
    }
    return true
  }

  /// Runs a job and sends its result. Where a daemon waits for the directory, the job stops after the patch
  /// in hand, and resumes there.
  ///
  /// - Returns: false where it was left to a daemon.
  private func runUnlessDaemonWaits(_ job: Int64) async throws -> Bool {
    let (runner, delivery, state) = (try parts.runner, try parts.delivery(), parts.state)
    return try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await Self.runToCompletion(job, runner, delivery)
        return true
      }
      group.addTask {
        while !state.isDaemonWaiting { try await Task.sleep(for: .milliseconds(200)) }
        return false
      }
      let isDone = try await group.next() ?? true
      group.cancelAll()
      do { while try await group.next() != nil {} } catch is CancellationError {}
      return isDone
    }
  }

  private static func runToCompletion(
    _ job: Int64, _ runner: JobRunner, _ delivery: Delivery
  ) async throws {
    let line = ProgressLine()
    _ = try await runner.runNext(id: job) { line.show($0) }
    while !Task.isCancelled, try await delivery.deliverNext(job: job) {}
    while !Task.isCancelled, try await delivery.proveNext(job: job) {}
  }

  /// Says how far jobs are that a daemon runs, until they have ended and their results are sent.
  private func follow(_ jobs: [Int64]) async throws {
    var told = ""
    while true {
      let progress = try parts.ledger.progress(ofJobs: jobs)
      let text = progress.text
      if text != told { warn("\(jobs.count) jobs: \(text)") }
      told = text
      guard progress.ended < jobs.count || progress.undelivered > 0 else { return }
      try await Task.sleep(for: .seconds(1))
    }
  }
}
