import DICOMweb
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization
import Wording

/// The listener's side: tells the head what waits, hands it over in order, and marks it once the head has it on
/// disk. What was on its way when an answer was lost comes again, and the head knows it by its number.
final class HandoverSending: Service {
  /// What the head has said, since it answers.
  private struct Known {
    var run: String
    /// The last number that it has taken.
    var taken: Int64
    var told: ToldBacklog
    var toldAt = ContinuousClock.now
  }

  /// Why nothing can be handed over now.
  private struct Fault: Error, CustomStringConvertible {
    var description: String
  }

  private let ledger: Ledger
  private let spool: SpoolCheck
  private let state: StateDirectory
  private let makeClient: @Sendable () throws -> DICOMwebClient
  private let logger: Logger
  private let forgotten = Mutex(ContinuousClock.now)

  private static let entriesAtOnce = 128
  private static let bytesAtOnce = 64 << 20
  /// The head hears of us at least so often.
  private static let heartbeat = Duration.seconds(2)

  /// - Parameters:
  ///   - ledger: of the listener.
  ///   - state: its state directory.
  ///   - logger: is told where the head does not answer, and when it does again.
  ///   - client: makes connections to the head; is called again after a failure, so that a token may be renewed.
  init(
    ledger: Ledger, state: StateDirectory, logger: Logger,
    client: @escaping @Sendable () throws -> DICOMwebClient
  ) {
    self.ledger = ledger
    self.state = state
    self.logger = logger
    spool = SpoolCheck(state: state)
    makeClient = client
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var failures = 0
      while !Task.isCancelled {
        do {
          try await self.handOver(wasAway: failures > 0)
        } catch {
          if Task.isCancelled { return }
          failures += 1
          self.note("\(error)")
          if case .answered = self.lastTry.withLock({ $0 }) { failures = 1 }
          let pause = RetryPolicy.handovers.pause(after: failures) ?? 1
          do { try await Task.sleep(for: .seconds(pause)) } catch { return }
        }
      }
    }
  }

  /// Whether the head answered since the last failure.
  private enum Try { case begun, answered }
  private let lastTry = Mutex(Try.begun)

  /// Hands over what there is and what comes, until something goes wrong.
  private func handOver(wasAway: Bool) async throws {
    lastTry.withLock { $0 = .begun }
    let client = try makeClient()
    var known = try await greet(client)
    lastTry.withLock { $0 = .answered }
    if wasAway { logger.notice("the head answers again") }
    while true {
      try Task.checkCancellation()
      let isOver = try await step(client, &known)
      if isOver { try await Task.sleep(for: .milliseconds(200)) }
    }
  }

  /// - Returns: whether nothing waits.
  private func step(_ client: DICOMwebClient, _ known: inout Known) async throws -> Bool {
    // The head learns which series wait before it gets any of their instances, and at once when nothing waits any more.
    // To tell it, everything that waits is counted.
    let next = try ledger.handovers(after: known.taken, count: Self.entriesAtOnce)
    guard known.told.isEnough(for: next), .now - known.toldAt < Self.heartbeat else {
      known = try await greet(client)
      return false
    }
    guard !next.isEmpty else {
      try forgetOld()
      return true
    }
    let answer = try await send(next, known, client)
    try ledger.markHandedOver(
      after: known.taken, upTo: answer.taken, refused: answer.refused)
    for (number, reason) in answer.refused.sorted(by: { $0.key < $1.key }) {
      logger.error("the head does not take entry \(number): \(reason)")
    }
    guard answer.taken > known.taken else {
      throw Fault(
        description: "the head took nothing of \(counted(next.count, "entry", "entries"))")
    }
    known.taken = answer.taken
    return false
  }

  /// Tells what waits, and brings what is marked here to what the head knows.
  private func greet(_ client: DICOMwebClient) async throws -> Known {
    while true {
      guard let run = try ledger.handoverRun() else {
        throw Fault(description: "this ledger is not a listener's")
      }
      let backlog = try ledger.handoverBacklog()
      let greeting = HandoverMessages.Greeting(run: run, backlog: backlog)
      let answer = try await post(
        [.bytes(try JSONEncoder().encode(greeting))], to: "state", client,
        as: HandoverMessages.Answer.self)
      let position = HandoverPosition(number: answer.taken, mark: answer.mark)
      guard try !ledger.isOlder(than: position) else {
        logger.error(
          "the ledger is older than what the head has: everything in it is handed over again")
        _ = try ledger.beginHandoverAnew()
        continue
      }
      let again = try ledger.handOverAgain(after: answer.taken)
      if again > 0 {
        logger.error(
          "handed over again, for the head has lost them: \(counted(again, "entry", "entries"))")
      }
      try ledger.markHandedOver(upTo: answer.taken)
      // What was handed over again waits, too: it is told of with the next greeting, before it is sent.
      return Known(run: run, taken: answer.taken, told: ToldBacklog(backlog))
    }
  }

  /// Sends entries with their files, as many as go into one request.
  private func send(
    _ entries: [HandoverEntry], _ known: Known, _ client: DICOMwebClient
  ) async throws -> HandoverMessages.Answer {
    var batch = HandoverMessages.Batch(run: known.run, after: known.taken, entries: [])
    var files: [UploadPart] = []
    var bytes = 0
    let part = entries.prefix { entry in
      defer { bytes += entry.instance?.record.byteCount ?? 0 }
      return bytes < Self.bytesAtOnce
    }
    let records = part.compactMap(\.instance?.record)
    var intact = await spool.areIntact(records).makeIterator()
    for var entry in part {
      if let record = entry.instance?.record {
        guard let isIntact = intact.next() ?? nil else {
          throw Fault(
            description: "the file of instance \(record.sopInstanceUID) cannot be read now")
        }
        if isIntact {
          let file = state.file(record.spoolPath)
          let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size]
          let count = (size as? NSNumber)?.intValue ?? record.byteCount
          entry.instance?.byteCount = count
          files.append(.file(file, byteCount: count))
        } else {
          logger.error("the file of instance \(record.sopInstanceUID) is lost or damaged")
        }
      }
      batch.entries.append(entry)
    }
    return try await post(
      [.bytes(try batch.framed())] + files, to: "entries", client,
      as: HandoverMessages.Answer.self)
  }

  /// Asks whether the head holds objects.
  ///
  /// - Returns: Failure Reason (0008,1197) of each; nil where it is held.
  func failureReasons(_ references: [CommitmentRecord.Reference]) async throws -> [Int?] {
    let question = HandoverMessages.Question(
      objects: references.map {
        .init(sopClassUID: $0.sopClassUID, sopInstanceUID: $0.sopInstanceUID)
      })
    let answer = try await post(
      [.bytes(try JSONEncoder().encode(question))], to: "holds", try makeClient(),
      as: HandoverMessages.Holdings.self)
    guard answer.failureReasons.count == references.count else {
      throw Fault(description: "the head's answer on storage commitment is not whole")
    }
    return answer.failureReasons
  }

  private func post<Answer: Decodable>(
    _ parts: [UploadPart], to path: String, _ client: DICOMwebClient, as type: Answer.Type
  ) async throws -> Answer {
    let answer = try await client.upload(
      parts, to: "handover/\(path)", type: "application/octet-stream")
    guard answer.status == 200 else {
      let text =
        String(decoding: answer.body.prefix(300), as: UTF8.self)
        .split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
      throw Fault(description: "the head answered \(answer.status)\(text)")
    }
    return try JSONDecoder().decode(type, from: answer.body)
  }

  private func note(_ reason: String) {
    do {
      if try ledger.markNotHandedOver(reason: reason) {
        logger.error("nothing is handed over: \(reason)")
      }
    } catch {
      logger.error("nothing is handed over: \(reason); and \(error)")
    }
  }

  private func forgetOld() throws {
    let isDue = forgotten.withLock { last in
      guard .now - last > .seconds(3600) else { return false }
      last = .now
      return true
    }
    if isDue { try ledger.forgetHandedOver() }
  }
}

extension RetryPolicy {
  /// Handing over to the head: what peers have sent waits for nothing else.
  static let handovers: RetryPolicy = {
    var policy = RetryPolicy(firstPause: 1, longestPause: 60, maximumAttempts: nil)
    policy.jitter = 0.2
    return policy
  }()
}
