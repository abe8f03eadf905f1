import JobLedger

/// A job that segments a series again, before it is made, and what it will change.
public struct PlannedJob: Sendable {
  /// What becomes of the result that counts.
  public enum Effect: String, Sendable, Codable {
    /// There is none yet.
    case first
    /// Images, model and settings are those of that result: nothing is computed.
    case same
    /// It is superseded.
    case supersedes
  }

  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var model: String
  public var modelVersion: String
  public var job: NewJob
  /// The job that waits for the same already, so that none is made.
  public var waitingJob: Int64?
  /// The result that counts.
  public var current: CurrentResult?
  public var effect: Effect
  /// How many files of the images are not in the spool.
  public var missingOriginals: Int

  /// Why it will be held before it runs; nil where it will not.
  public var heldReason: String? {
    if case .held(let reason) = job.start { reason } else { nil }
  }

  /// Whether it changes nothing, and has not the images to prove it: none is made.
  public var isNeedless: Bool { effect == .same && missingOriginals > 0 && waitingJob == nil }
}

/// A series for which no job can be made.
public struct UnplannedSeries: Sendable, Equatable, Codable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// Empty where none is known.
  public var model: String
  /// Without free text of the files.
  public var reason: String

  public init(
    studyInstanceUID: String, seriesInstanceUID: String, model: String, reason: String
  ) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.model = model
    self.reason = reason
  }
}

/// What is to be done with a study.
public struct StudyPlan: Sendable {
  public var jobs: [PlannedJob] = []
  public var unplanned: [UnplannedSeries] = []
}
