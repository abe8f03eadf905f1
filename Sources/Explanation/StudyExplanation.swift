import Foundation
import JobLedger

/// The whole story of a study in plain sentences, made of what the ledger knows of it.
///
/// ```swift
/// let ledger = try Ledger(reading: "/var/lib/segmentd/ledger.sqlite")
/// let explanation = StudyExplanation(try ledger.record(ofStudy: uid), waiting: WaitingTimes())
/// print(explanation.text)
/// ```
public struct StudyExplanation: Sendable, Codable, Equatable {
  /// Something that happened.
  public struct Entry: Sendable, Codable, Equatable {
    public var at: Date
    /// What kind of thing: arrival, association, refusal, completeness, rules, verdict, job, attempt,
    /// result, delivery, commitment, or a kind of the ledger's events.
    public var kind: String
    public var seriesInstanceUID: String?
    public var job: Int64?
    /// One sentence.
    public var text: String
  }

  /// Something that is not over.
  public struct Wait: Sendable, Codable, Equatable {
    public var seriesInstanceUID: String?
    public var job: Int64?
    /// When it is looked at next, as far as that is known.
    public var until: Date?
    /// One sentence.
    public var text: String
  }

  public var record: StudyRecord
  /// The present state of each series and job, one sentence each.
  public var states: [String]
  /// In order of time.
  public var story: [Entry]
  public var waits: [Wait]

  /// - Parameters:
  ///   - record: what the ledger knows.
  ///   - times: of the configuration.
  public init(_ record: StudyRecord, waiting times: WaitingTimes) {
    self.record = record
    let entries =
      record.series.flatMap(\.entries) + record.refusals.map(\.entry)
      + record.jobs.flatMap(\.entries) + record.commitments.flatMap(\.entries)
      + record.events.compactMap(\.entry)
    // What has the same time stays in the order in which it is told here.
    story = entries.enumerated()
      .sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    waits =
      record.series.flatMap { series in
        series.waits(
          times,
          lacksInstances: record.refusals.contains {
            $0.instance.seriesInstanceUID == series.seriesInstanceUID && $0.resolution == nil
          })
      }
      + record.jobs.flatMap { $0.waits(record.processing) } + record.commitments.flatMap(\.waits)
    states =
      record.series.map { series in
        series.state(
          hasJobs: record.jobs.contains { $0.job.seriesInstanceUID == series.seriesInstanceUID })
      } + record.jobs.map(\.state)
  }

  /// For people: the present state, what happened, and what is waited for.
  public var text: String {
    var lines = ["study \(record.studyInstanceUID)"] + states.map { "  \($0)" }
    lines += ["", "what happened"]
    lines += story.map { "  \($0.at.formatted(.iso8601))  \($0.text)" }
    lines += ["", waits.isEmpty ? "nothing to wait for" : "waiting for"]
    lines += waits.map { wait in
      "  \(wait.text)" + (wait.until.map { ", until \($0.formatted(.iso8601))" } ?? "")
    }
    return lines.joined(separator: "\n")
  }
}

/// How long the configuration has series wait.
public struct WaitingTimes: Sendable, Equatable {
  /// Seconds without an instance after which a series is assembled.
  public var quietPeriod: TimeInterval
  /// The same for a series of which instances are known to be missing; no less than the quiet period.
  public var missingPeriod: TimeInterval
  /// Seconds that a series waits for the query source; nil without one.
  public var patience: TimeInterval?

  public init(
    quietPeriod: TimeInterval, missingPeriod: TimeInterval? = nil, patience: TimeInterval? = nil
  ) {
    self.quietPeriod = quietPeriod
    self.missingPeriod = max(quietPeriod, missingPeriod ?? quietPeriod)
    self.patience = patience
  }
}
