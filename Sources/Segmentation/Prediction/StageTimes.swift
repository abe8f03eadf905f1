import Foundation
import Synchronization

/// The stages of a job, in their order.
public enum Stage: String, Sendable, Codable, CaseIterable {
  /// The files' headers, and the verdict on the geometry.
  case reading
  /// The pixels.
  case decoding
  /// Crop, resampling and intensities, and the checks of the model's limits.
  case preprocessing
  /// The network's arithmetic on all patches.
  case network
  /// Cutting patches out and adding up their probabilities.
  case merging
  /// Resampling the probabilities back to the source's voxels, and the choice among them.
  case labels
  /// The model's rules on connected parts.
  case postprocessing
  case picture
  /// What a report measures in the source images.
  case measuring
  /// Making the segmentation object and writing it to disk.
  case writing
  /// Reading the object back and comparing it.
  case proof
}

/// Adds up the time that each stage of a job takes.
///
/// Times are wall-clock times; stages that run concurrently overlap.
public final class StageTimes: Sendable {
  private let times = Mutex<[Stage: Duration]>([:])
  private let start = ContinuousClock.now
  /// Of a job that ran elsewhere, in seconds.
  private let total: Double?

  public init() { total = nil }

  /// The times of a job that ran in another process.
  ///
  /// - Parameter seconds: as of ``seconds``; names that are none of a stage are left out.
  public init(seconds: [String: Double]) {
    total = seconds["total"] ?? 0
    let known = seconds.compactMap { name, value in
      Stage(rawValue: name).map { ($0, Duration.seconds(value)) }
    }
    times.withLock { $0 = Dictionary(known, uniquingKeysWith: { $1 }) }
  }

  /// Runs the body, and adds its time to a stage.
  public func measure<Result>(_ stage: Stage, _ body: () throws -> Result) rethrows -> Result {
    let start = ContinuousClock.now
    defer { add(start.duration(to: .now), to: stage) }
    return try body()
  }

  func add(_ time: Duration, to stage: Stage) {
    times.withLock { $0[stage, default: .zero] += time }
  }

  /// Seconds of each stage that ran, by its name, and since the job's start as `total`.
  public var seconds: [String: Double] {
    var seconds = Dictionary(
      times.withLock { $0 }.map { ($0.key.rawValue, $0.value / .seconds(1)) },
      uniquingKeysWith: +)
    seconds["total"] = total ?? start.duration(to: .now) / .seconds(1)
    return seconds
  }

  /// For people: "52.3 s: reading 0.2, decoding 0.6, …".
  public var line: String {
    let seconds = seconds
    func text(_ name: String) -> String { String(format: "%.1f", seconds[name] ?? 0) }
    let stages = Stage.allCases.map(\.rawValue).filter { seconds[$0] != nil }
      .map { "\($0) \(text($0))" }.joined(separator: ", ")
    return "\(text("total")) s\(stages.isEmpty ? "" : ": ")\(stages)"
  }
}
