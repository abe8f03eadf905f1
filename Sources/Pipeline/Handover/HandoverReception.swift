import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import Synchronization
import WebServer

/// The head's side of `POST /handover/…`: takes from listeners what they received.
struct HandoverReception: Sendable {
  let intake: Intake
  let ledger: Ledger
  let state: StateDirectory
  /// Bytes that stay free on the disk.
  let diskReserve: Int
  let logger: Logger

  /// Bytes of a message without files.
  private static let largestMessage = 64 << 20

  var routes: [any WebRoutes] {
    [
      UploadRoute("state", logger: logger) { name in
        MessageSink(limit: Self.largestMessage) { text throws(UploadFault) in
          try greeted(by: name, text)
        }
      },
      UploadRoute("entries", logger: logger) { name throws(UploadFault) in
        if let fault = spaceFault { throw .unavailable(reason: fault) }
        return HandoverSink(intake: intake, listener: name, logger: logger)
      },
      UploadRoute("holds", logger: logger) { _ in
        MessageSink(limit: Self.largestMessage) { text throws(UploadFault) in try holds(text) }
      },
    ]
  }

  private var spaceFault: String? {
    guard let free = DiskSpace(of: state.url.path)?.available, free < diskReserve else {
      return nil
    }
    return "the head's disk has no space left but the reserve: \(free >> 20) of "
      + "\(diskReserve >> 20) MiB"
  }

  private func greeted(by name: String, _ text: Data) throws(UploadFault) -> Data {
    let greeting = try decoded(HandoverMessages.Greeting.self, text)
    guard greeting.format <= HandoverMessages.format else {
      throw .malformed(reason: "the listener is of a newer segmentd: update the head first")
    }
    do {
      let taken = try ledger.record(
        greeting.backlog, of: HandoverSender(name: name, run: greeting.run))
      return try JSONEncoder().encode(
        HandoverMessages.Answer(taken: taken.number, mark: taken.mark))
    } catch {
      throw .unavailable(reason: "\(error)")
    }
  }

  /// Runs on a queue for what blocks, so that it may wait for the hashes.
  private func holds(_ text: Data) throws(UploadFault) -> Data {
    let question = try decoded(HandoverMessages.Question.self, text)
    let references = question.objects.map {
      CommitmentRecord.Reference(sopClassUID: $0.sopClassUID, sopInstanceUID: $0.sopInstanceUID)
    }
    let verification = CommitmentVerification(ledger: ledger, spool: SpoolCheck(state: state))
    let outcome = Mutex<Result<[Int?], any Error>?>(nil)
    let done = DispatchSemaphore(value: 0)
    Task {
      let result: Result<[Int?], any Error>
      do { result = .success(try await verification.failureReasons(references)) } catch {
        result = .failure(error)
      }
      outcome.withLock { $0 = result }
      done.signal()
    }
    done.wait()
    do {
      let reasons = try outcome.withLock { $0 }?.get() ?? []
      return try JSONEncoder().encode(HandoverMessages.Holdings(failureReasons: reasons))
    } catch {
      throw .unavailable(reason: "\(error)")
    }
  }
}

private func decoded<Message: Decodable>(
  _ type: Message.Type, _ text: Data
) throws(UploadFault) -> Message {
  do { return try JSONDecoder().decode(type, from: text) } catch {
    throw .malformed(reason: "the message cannot be read")
  }
}

/// Collects a message, and answers it.
private final class MessageSink: UploadSink {
  private let limit: Int
  private let text = Mutex(Data())
  private let answer: @Sendable (Data) throws(UploadFault) -> Data

  init(limit: Int, answer: @escaping @Sendable (Data) throws(UploadFault) -> Data) {
    self.limit = limit
    self.answer = answer
  }

  func take(_ data: Data) throws(UploadFault) {
    let count = text.withLock { text in
      text.append(data)
      return text.count
    }
    guard count <= limit else { throw .malformed(reason: "the message is too large") }
  }

  func finish() throws(UploadFault) -> Data { try answer(text.withLock { $0 }) }

  func abandon() {}
}
