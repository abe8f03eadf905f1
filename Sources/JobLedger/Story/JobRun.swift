import Foundation
import GRDB

/// What an attempt at a job took.
public struct JobRun: Sendable, Equatable {
  /// Of each stage, and of all together as `total`.
  public var seconds: [String: Double]
  /// Bytes of memory: the process's peak as it was predicted, and as it was since the process began.
  public var predictedMemory: Int?
  public var peakMemory: Int?
  /// Where it was computed, where a cluster did.
  public var place: JobPlace?

  public init(
    seconds: [String: Double], predictedMemory: Int? = nil, peakMemory: Int? = nil,
    place: JobPlace? = nil
  ) {
    self.place = place
    self.seconds = seconds
    self.predictedMemory = predictedMemory
    self.peakMemory = peakMemory
  }
}

extension Ledger {
  /// Notes what the attempt took that ends in this transaction.
  func record(_ run: JobRun?, job: Int64, _ db: Database) throws {
    guard let run else { return }
    let coder = JSONEncoder()
    coder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let seconds = run.seconds.mapValues { ($0 * 1000).rounded() / 1000 }
    let place = try run.place.map { String(decoding: try coder.encode($0), as: UTF8.self) }
    try db.execute(
      sql: """
        UPDATE attempts SET seconds = ?, predicted_memory = ?, peak_memory = ?,
          place = ifnull(?, place)
        WHERE job_id = ? AND finished_at IS NULL
        """,
      arguments: [
        String(decoding: try coder.encode(seconds), as: UTF8.self), run.predictedMemory,
        run.peakMemory, place, job,
      ])
  }
}
