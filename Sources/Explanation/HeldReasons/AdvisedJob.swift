import JobLedger

/// A job as scripts see it: the ledger's summary, with what a person does about it where it is held.
public struct AdvisedJob: Encodable, Sendable {
  private let job: JobSummary

  public init(_ job: JobSummary) { self.job = job }

  private enum CodingKeys: String, CodingKey { case advice }

  public func encode(to encoder: any Encoder) throws {
    try job.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(job.advice, forKey: .advice)
  }
}

/// The same with all that happened to it.
public struct AdvisedJobDetail: Encodable, Sendable {
  private let job: AdvisedJob
  private let attempts: [JobAttempt]
  private let events: [JobEvent]
  private let refusals: [RefusalRecord]
  private let associations: [AssociationRecord]

  public init(_ detail: JobDetail) {
    job = AdvisedJob(detail.job)
    attempts = detail.attempts
    events = detail.events
    refusals = detail.refusals
    associations = detail.associations
  }
}
