import ConfigurationFile
import DICOMNetwork
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import Results
import Segmentation
import SeriesProcessing
import SeriesSelection
import Wording

/// What came of a check.
struct GoldenCheckResult: Sendable, Equatable {
  var outcome: GoldenCheck.Outcome
  var message: String
}

/// Why a check failed before there was a result to compare.
struct GoldenCheckFault: Error, CustomStringConvertible {
  var description: String
}

/// Checks one model: its case is sent to the daemon's own listener as a sender would, received by the process
/// that receives, assembled, assessed, segmented and proved by what does so for every study, and the labels are
/// compared with the hash that is recorded.
///
/// All of it is in a state directory of its own, `STATE/check`, with its own ledger: it is in no list, no
/// destination is known there, and it is removed afterwards. It is computed only while no job is waiting, and
/// stops within a patch where one comes.
struct GoldenCheckRun {
  let parts: ConfiguredParts
  let receiver: Receiver

  /// So long it may wait for a time without jobs, in seconds.
  private static let patience = 6 * 3600.0

  /// - Throws: `CancellationError` where the daemon ends.
  func check(_ model: String, _ bundle: ModelBundle) async throws -> GoldenCheckResult {
    do {
      guard let golden = try GoldenCase(ofBundle: bundle.directory) else {
        return GoldenCheckResult(
          outcome: .omitted,
          message: "its bundle has no golden case (\(bundle.directory.path)/golden)")
      }
      guard let listener = parts.configuration.checkedListener else {
        return GoldenCheckResult(
          outcome: .omitted, message: "there is no listener that its case could be sent to")
      }
      let begin = ContinuousClock.now
      let hash = try await labelHash(of: golden, model, bundle, sentTo: listener)
      return Self.verdict(on: hash, golden, bundle, after: .now - begin)
    } catch let error as CancellationError {
      throw error
    } catch let busy as NeverIdle {
      return GoldenCheckResult(outcome: .omitted, message: busy.description)
    } catch {
      try Task.checkCancellation()
      return GoldenCheckResult(outcome: .failed, message: "\(error)")
    }
  }

  static func verdict(
    on hash: String, _ golden: GoldenCase, _ bundle: ModelBundle, after time: Duration
  ) -> GoldenCheckResult {
    let file = "\(bundle.directory.path)/golden/labels.sha256"
    guard let known = golden.labelHash else {
      return GoldenCheckResult(
        outcome: .omitted, message: "\(file) is not there; the labels of its case have \(hash)")
    }
    guard known == hash else {
      return GoldenCheckResult(
        outcome: .failed,
        message: "the labels of its case have SHA-256 \(hash), and \(file) says \(known)")
    }
    return GoldenCheckResult(
      outcome: .passed,
      message: "\(counted(golden.files.count, "image")) gave the labels that are recorded, in "
        + "\(time.components.seconds) s")
  }

  private func labelHash(
    of golden: GoldenCase, _ model: String, _ bundle: ModelBundle,
    sentTo listener: SiteConfiguration.Listener
  ) async throws -> String {
    let folder = parts.state.goldenCheck
    try? FileManager.default.removeItem(at: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let directory = try StateDirectory(path: folder.path)
    let ledger = try Ledger(path: directory.ledger.path)
    let title = Self.newTitle()
    try await begin(title)
    do {
      try await send(golden, to: listener, as: title)
      try await assemble(model, bundle, directory, ledger)
      await receiver.endCheck()
    } catch {
      await receiver.endCheck()
      throw error
    }
    let job = try await run(directory, ledger)
    return try LabelHash.of(
      job.objects.filter { $0.kind == .segmentation }.map { directory.file($0.path).path })
  }

  /// The process that receives may just be started again.
  private func begin(_ title: String) async throws {
    for attempt in 1... {
      do {
        return try await receiver.beginCheck(title: title)
      } catch let error as ReceiverError {
        guard attempt < 10 else { throw error }
        try await Task.sleep(for: .seconds(3))
      }
    }
  }

  /// 16 characters that nobody can guess (PS3.5 6.2).
  static func newTitle() -> String {
    String((0..<16).map { _ in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".randomElement() ?? "A" })
  }

  private func send(
    _ golden: GoldenCase, to listener: SiteConfiguration.Listener, as title: String
  ) async throws {
    let peer = Peer(
      checking: listener, tls: parts.configuration.nightlyCheck?.tls)
    let files = golden.files.map(\.path)
    var outcomes: [StoreOutcome] = []
    for attempt in 1... {
      do {
        outcomes = try await StorageSCU(callingAETitle: title).store(files, to: peer)
        break
      } catch .cancelled {
        throw CancellationError()
      } catch {
        // Others may have all associations for a moment.
        guard attempt < 4 else {
          throw GoldenCheckFault(description: "its case cannot be sent to the listener: \(error)")
        }
        try await Task.sleep(for: .seconds(5))
      }
    }
    for (file, outcome) in zip(files, outcomes) where outcome != .stored {
      throw GoldenCheckFault(description: "\(file) was not taken by the listener: \(outcome)")
    }
  }

  /// Makes the job, by one rule that takes every series for the model: rules of the site may ask for what the
  /// case does not have.
  private func assemble(
    _ model: String, _ bundle: ModelBundle, _ directory: StateDirectory, _ ledger: Ledger
  ) async throws {
    let channels =
      bundle.network.inputChannels > 1 && !bundle.channels.isEmpty
      ? [model: bundle.channels] : [:]
    let rules = ModelRules([ModelRule(model: model)], channels: channels)
    let assembler = SeriesAssembler(
      ledger: ledger, receptions: NothingUnrecorded(),
      assessor: StudyAssessor(
        state: directory, ledger: ledger, rules: rules,
        geometry: parts.configuration.geometryRules, incompleteSeries: .hold),
      quietPeriod: 0, logger: logger)
    let end = ContinuousClock.now + .seconds(300)
    while try ledger.jobs().isEmpty {
      guard .now < end else {
        throw GoldenCheckFault(description: "its case was received, and never became a job")
      }
      _ = try ledger.noteTime()
      try assembler.assembleDue()
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Runs the job whenever there is nothing else to do.
  private func run(_ directory: StateDirectory, _ ledger: Ledger) async throws -> JobSummary {
    let runner = JobRunner(
      state: directory, ledger: ledger,
      executors: [LocalExecutor(models: parts.models, processor: parts.processor)],
      destinations: [],
      checkpoints: CheckpointSettings(
        seconds: parts.configuration.inference.checkpointSeconds, diskReserve: parts.diskReserve),
      logger: logger)
    let end = ContinuousClock.now + .seconds(Self.patience)
    while true {
      guard let job = try ledger.jobs().last else {
        throw GoldenCheckFault(description: "the job of its case is gone")
      }
      switch JobState(rawValue: job.state) {
      case .completed: return job
      case .available, .running, .retryable: break
      case .held, .cancelled, .none:
        throw GoldenCheckFault(
          description: "the job of its case is \(job.state): \(job.reason ?? "")")
      }
      guard .now < end else { throw NeverIdle(job: job) }
      if try Self.isIdle(parts.ledger) { try await runWhileIdle(runner) }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private static func isIdle(_ ledger: Ledger) throws -> Bool {
    guard try ledger.processingState().mode == .active else { return false }
    return try !ledger.hasWork()
  }

  /// Until the job ends, or has to wait for others.
  private func runWhileIdle(_ runner: JobRunner) async throws {
    let ledger = parts.ledger
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { _ = try await runner.runNext { _ in } }
      group.addTask {
        while try Self.isIdle(ledger) { try await Task.sleep(for: .milliseconds(200)) }
      }
      var fault: (any Error)?
      do { try await group.next() } catch { fault = error }
      group.cancelAll()
      while true {
        do { guard try await group.next() != nil else { break } } catch is CancellationError {
          // One of both was stopped by the end of the other.
        } catch { fault = fault ?? error }
      }
      if let fault { throw fault }
    }
    try Task.checkCancellation()
  }

  /// Says what is wrong alone: it is not about a patient's study.
  private var logger: Logger {
    var logger = parts.logger
    logger.logLevel = .warning
    logger[metadataKey: "check"] = "golden"
    return logger
  }
}

/// There were always jobs, or the job waits for memory.
private struct NeverIdle: Error, CustomStringConvertible {
  var job: JobSummary
  var description: String {
    "not run: for hours there was no time without jobs" + (job.reason.map { "; \($0)" } ?? "")
  }
}

/// All that is received of a check is recorded before its association ends.
private struct NothingUnrecorded: UnrecordedReceptions {
  func flush() {}
}

extension Peer {
  /// A listener of ours, called from this machine.
  ///
  /// - Parameters:
  ///   - listener: of the configuration.
  ///   - tls: as whom it is called; without it the listener's own certificate is shown.
  init(checking listener: SiteConfiguration.Listener, tls: SiteConfiguration.PeerTLS?) {
    let host =
      switch listener.address {
      case "0.0.0.0": "127.0.0.1"
      case "::": "::1"
      default: listener.address
      }
    // Who answers at our own port is known by the result.
    let own = listener.tls.map {
      PeerSecurity(
        trusted: nil, certificate: $0.certificate, key: $0.key, verifiesPeer: false)
    }
    self.init(
      aeTitle: listener.aeTitle, host: host, port: listener.port,
      security: listener.tls == nil ? nil : tls?.security ?? own)
  }
}
