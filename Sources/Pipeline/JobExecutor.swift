import Foundation
import JobLedger
import Results
import Segmentation
import SeriesProcessing

/// Which submission of a job to a cluster counts, as the ledger has recorded it. The result of no other one is taken,
/// whoever wrote it.
public struct RecordedSubmission: Sendable {
  /// The name of the one that was recorded last; nil where none was.
  public var last: @Sendable () throws -> String?
  /// Records one, before it is made.
  public var record: @Sendable (_ name: String) throws -> Void

  public init(
    last: @escaping @Sendable () throws -> String?,
    record: @escaping @Sendable (_ name: String) throws -> Void
  ) {
    self.last = last
    self.record = record
  }
}

/// A job as an executor is given it. It holds nothing of the ledger, so that the work can be done
/// by another process or on another machine that sees the same files.
public struct JobRequest: Sendable {
  /// The model's name.
  public var model: String
  public var input: ModelInput
  /// What the UIDs of the result follow from.
  public var identity: ResultIdentity
  /// An empty folder for the result.
  public var output: URL
  /// Asks the job to yield, and keeps its state: checkpoints are files that any executor can read.
  public var control: SegmentationControl
  /// The job's number, by which an executor finds again what it has begun for it; 0 where it has none.
  public var job: Int64
  /// Jobs of a higher one come first.
  public var priority: Int
  /// Whether a person has released its result although it is suspect: it is not held for that.
  public var isReleased: Bool
  /// The seconds that computing it will take, by what others of the model took; nil where none has been computed yet.
  public var forecast: Double?
  /// The bytes of memory that a process needs for it, by what others of the model needed; nil where none has been computed
  /// yet.
  public var memoryForecast: Int?
  /// Which of its submissions to a cluster counts.
  public var submission: RecordedSubmission
  /// Is told where the job is, each time that this changes; by an executor that has it computed elsewhere.
  public var placed: @Sendable (JobPlace) -> Void

  public init(
    model: String, input: ModelInput, identity: ResultIdentity, output: URL,
    control: SegmentationControl = SegmentationControl(), job: Int64 = 0, priority: Int = 0,
    isReleased: Bool = false, forecast: Double? = nil, memoryForecast: Int? = nil,
    submission: RecordedSubmission,
    placed: @escaping @Sendable (JobPlace) -> Void = { _ in }
  ) {
    self.forecast = forecast
    self.memoryForecast = memoryForecast
    self.submission = submission
    self.placed = placed
    self.job = job
    self.priority = priority
    self.isReleased = isReleased
    self.model = model
    self.input = input
    self.identity = identity
    self.output = output
    self.control = control
  }
}

/// What an executor made of a job.
public struct JobOutcome: Sendable {
  public var processed: ProcessedSeries
  /// Of the model that was used.
  public var modelVersion: String
  public var times: StageTimes
  /// The most memory that the process had which computed it, in bytes; nil where that is not known.
  public var peakMemory: Int?
  /// Where it was computed, where a cluster did.
  public var place: JobPlace?

  public init(
    processed: ProcessedSeries, modelVersion: String, times: StageTimes,
    peakMemory: Int? = MemoryBudget.peakResident, place: JobPlace? = nil
  ) {
    self.place = place
    self.peakMemory = peakMemory
    self.processed = processed
    self.modelVersion = modelVersion
    self.times = times
  }
}

/// Runs jobs: in this process, in another one, or on another machine.
public protocol JobExecutor: Sendable {
  /// What the result of an input depends on, known before it is made.
  ///
  /// - Throws: errors of loading the model and of reading files.
  func dependencies(of input: ModelInput, model: String) async throws -> ResultDependencies

  /// Segments one input and leaves the proved result in the request's folder.
  ///
  /// - Throws: `MemoryShortage` where the job must wait for memory, `SegmentationInterrupted` or
  ///   `CancellationError` where it is to resume later; any other error fails the attempt. What is wrong with the series is not
  ///   thrown but returned as `SeriesOutcome.held`.
  func execute(
    _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome

  /// Removes what the executor keeps of jobs that will not run again; called again and again.
  ///
  /// - Parameter ended: those of some jobs that will not.
  func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws

  /// Folders outside of the state directory that it writes to: while one of them is full no job is begun.
  var sharedFolders: [URL] { get }
}

extension JobExecutor {
  public var sharedFolders: [URL] { [] }

  /// Nothing is kept.
  public func removeLeftovers(_ ended: @Sendable ([Int64]) throws -> [Int64]) async throws {}
}
