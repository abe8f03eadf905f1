import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import Synchronization
import WebServer

/// One batch of a listener: files go into the spool as they come, and rows into the ledger once all are there.
final class HandoverSink: UploadSink {
  private struct State {
    /// Until the list of entries is whole.
    var beginning: Data? = Data()
    var batch = HandoverMessages.Batch(run: "", after: 0, entries: [])
    /// The entry whose file comes next.
    var next = 0
    var file: HandedFile?
    /// Complete files, by the number of their entry.
    var files: [Int64: String] = [:]
  }

  private let intake: Intake
  private let listener: String
  private let logger: Logger
  private let state = Mutex(State())
  private static let largestList: UInt64 = 64 << 20

  init(intake: Intake, listener: String, logger: Logger) {
    self.intake = intake
    self.listener = listener
    self.logger = logger
  }

  func take(_ data: Data) throws(UploadFault) {
    try state.withLock { state throws(UploadFault) in
      var rest = data
      if state.beginning != nil {
        guard let behind = try Self.begin(&state, data) else { return }
        rest = behind
      }
      do throws(SystemError) {
        try fill(&state, rest)
      } catch {
        throw .unavailable(reason: "the head's disk: \(error)")
      }
    }
  }

  /// Reads the list of entries once it is whole.
  ///
  /// - Returns: what follows it; nil before.
  private static func begin(_ state: inout State, _ piece: Data) throws(UploadFault) -> Data? {
    // In its place, as a list of thousands of entries comes in many pieces.
    state.beginning?.append(piece)
    guard let data = state.beginning, data.count >= 8 else { return nil }
    let length = data.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= largestList else {
      throw .malformed(reason: "the list of entries is too large")
    }
    let end = 8 + Int(length)
    guard data.count >= end else { return nil }
    do {
      let text = Data(data.prefix(end).dropFirst(8))
      state.batch = try JSONDecoder().decode(HandoverMessages.Batch.self, from: text)
    } catch {
      throw .malformed(reason: "the list of entries cannot be read")
    }
    let numbers = [state.batch.after] + state.batch.entries.map(\.number)
    guard zip(numbers, numbers.dropFirst()).allSatisfy(<) else {
      throw .malformed(reason: "the entries are not in order")
    }
    state.beginning = nil
    return Data(data.dropFirst(end))
  }

  private func fill(_ state: inout State, _ data: Data) throws(SystemError) {
    var rest = data
    while true {
      if var file = state.file {
        rest = try file.take(rest)
        state.file = file
        guard file.missing == 0 else { return }
        file.close()
        state.file = nil
        state.files[state.batch.entries[state.next].number] = file.path
        state.next += 1
      }
      // Entries without a file are passed over.
      while state.next < state.batch.entries.count,
        state.batch.entries[state.next].instance?.byteCount == nil
      {
        state.next += 1
      }
      guard state.next < state.batch.entries.count,
        let size = state.batch.entries[state.next].instance?.byteCount
      else { return }
      state.file = try HandedFile(in: intake, byteCount: max(size, 0))
    }
  }

  func finish() throws(UploadFault) -> Data {
    let state = try self.state.withLock { state throws(UploadFault) in
      guard state.beginning == nil, state.file == nil, state.next == state.batch.entries.count
      else { throw .malformed(reason: "the body ends before its last file does") }
      defer { state.files = [:] }
      return state
    }
    var answer = HandoverMessages.Answer(taken: state.batch.after)
    try record(state, &answer)
    do { return try JSONEncoder().encode(answer) } catch {
      throw .unavailable(reason: "\(error)")
    }
  }

  /// Records the entries in order; those before one that fails are recorded.
  private func record(_ state: State, _ answer: inout HandoverMessages.Answer) throws(UploadFault) {
    let sender = HandoverSender(name: listener, run: state.batch.run)
    var begun: [(Int64, Intake.PendingHandover)] = []
    var fault: IntakeError?
    var previous = state.batch.after
    for entry in state.batch.entries {
      let file = state.files[entry.number]
      guard fault == nil else {
        if let file { unlink(file) }
        continue
      }
      do throws(IntakeError) {
        let pending = try intake.beginTaking(entry, file: file, after: previous, from: sender)
        begun.append((entry.number, pending))
        previous = entry.number
      } catch {
        fault = error
      }
    }
    for (number, pending) in begun {
      do throws(IntakeError) {
        let outcome = try intake.finish(pending)
        answer.taken = number
        if outcome != .repeated, let reason = pending.refusal { tell(number, reason, &answer) }
      } catch {
        // Of those behind it none was recorded either.
        fault = fault ?? error
      }
    }
    guard let fault else { return }
    logger.warning("a batch of listener \(listener) was not taken as a whole: \(fault)")
    guard answer.taken == state.batch.after else { return }
    if case .otherInstance = fault { throw .doesNotMatch(reason: fault.description) }
    throw .unavailable(reason: fault.description)
  }

  private func tell(_ number: Int64, _ reason: String, _ answer: inout HandoverMessages.Answer) {
    answer.refused[number] = reason
    logger.warning("entry \(number) of listener \(listener) is not taken: \(reason)")
  }

  func abandon() {
    let files = state.withLock { state in
      state.file?.discard()
      state.file = nil
      defer { state.files = [:] }
      return Array(state.files.values)
    }
    for file in files { unlink(file) }
  }
}
