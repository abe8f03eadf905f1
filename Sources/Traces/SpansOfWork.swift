import Foundation
import JobLedger

/// Makes spans of what has ended.
public struct SpansOfWork: Sendable {
  /// Which of several installations it is.
  private let installation: String
  /// Names of the stages of an attempt, in their order.
  private let stages: [String]

  public init(installation: String, stages: [String]) {
    self.installation = installation
    self.stages = stages
  }

  public func spans(of work: FinishedWork) -> [Span] {
    switch work.kind {
    case .reception(let instances, let bytes):
      var span = span(.receive, work, id: reception(work))
      span.parent = nil
      span.attributes[.instances] = .number(Int64(instances))
      span.attributes[.bytes] = .number(Int64(bytes))
      span.attributes[.job] = nil
      span.attributes[.model] = nil
      return [span]
    case .assembly:
      var span = span(.assemble, work, id: id(.assemble, work, "\(work.revision)"))
      span.attributes[.job] = nil
      span.attributes[.model] = nil
      return [span]
    case .waiting(let attempt):
      var span = span(.wait, work, id: id(.wait, work, "\(work.job)", "\(attempt)"))
      span.attributes[.number] = .number(Int64(attempt))
      return [span]
    case .attempt(let number, let outcome, let seconds):
      return attempt(work, number, outcome, seconds)
    case .delivery(let destination, let attempt, let isTaken):
      var span = span(
        .deliver, work, id: id(.deliver, work, "\(work.job)", destination, "\(attempt)"))
      span.kind = .client
      span.attributes[.destination] = .text(destination)
      span.attributes[.number] = .number(Int64(attempt))
      span.isFault = !isTaken
      return [span]
    case .confirmation(let destination, let isProved):
      let began = "\(work.began.timeIntervalSince1970)"
      var span = span(
        .confirm, work, id: id(.confirm, work, "\(work.job)", destination, began))
      span.kind = .client
      span.attributes[.destination] = .text(destination)
      span.isFault = !isProved
      return [span]
    }
  }

  private func id(_ name: Span.Name, _ work: FinishedWork, _ parts: String...) -> String {
    Span.hash([name.rawValue, installation, work.seriesInstanceUID] + parts, bytes: 8)
  }

  /// The root of what is made of a series.
  private func reception(_ work: FinishedWork) -> String {
    id(.receive, work, "\(work.revision)")
  }

  private func span(_ name: Span.Name, _ work: FinishedWork, id: String) -> Span {
    var span = Span(
      name: name.rawValue,
      trace: Span.trace(ofStudy: work.studyInstanceUID, reprocessing: work.reprocessing), id: id,
      // What is segmented again is a trace of its own, without a root.
      parent: work.reprocessing == nil ? reception(work) : nil,
      began: work.began, ended: work.ended,
      attributes: [
        .study: .text(work.studyInstanceUID), .series: .text(work.seriesInstanceUID),
        .job: .number(work.job), .model: .text(work.model),
      ])
    if let number = work.reprocessing { span.attributes[.reprocessing] = .number(number) }
    return span
  }

  /// An attempt and its stages. The ledger has how long each took, in all: they follow one another from the attempt's
  /// beginning, and those that ran side by side end with it at the latest.
  private func attempt(
    _ work: FinishedWork, _ number: Int, _ outcome: String, _ seconds: [String: Double]
  ) -> [Span] {
    var whole = span(.attempt, work, id: id(.attempt, work, "\(work.job)", "\(number)"))
    whole.attributes[.number] = .number(Int64(number))
    whole.attributes[.outcome] = .text(outcome)
    whole.isFault = outcome == "failed" || outcome == "rescued"
    let length = whole.ended.timeIntervalSince(whole.began)
    var (spans, passed) = ([whole], 0.0)
    for stage in stages {
      guard let took = seconds[stage], took >= 0, took.isFinite else { continue }
      let begin = max(0, min(passed, length - took))
      var span = whole
      span.name = stage
      span.id = Span.hash([whole.id, stage], bytes: 8)
      span.parent = whole.id
      span.began = whole.began + begin
      span.ended = whole.began + min(length, begin + took)
      span.attributes[.outcome] = nil
      span.isFault = false
      spans.append(span)
      passed += took
    }
    return spans
  }
}
