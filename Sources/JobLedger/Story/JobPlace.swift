import Foundation
import GRDB

/// Where a job is that a cluster computes, for people: nothing depends on it.
public struct JobPlace: Sendable, Codable, Equatable {
  /// Such as "Slurm".
  public var cluster: String
  /// By which the cluster knows it; of several jobs that are computed together, that of all.
  public var name: String
  /// The cluster's own number, which after a crash it may give again.
  public var number: Int?
  /// In the cluster's words: `PENDING`, `RUNNING`, …
  public var state: String
  public var node: String?
  public var partition: String?
  /// Why it waits, in the cluster's words.
  public var reason: String?

  public init(
    cluster: String, name: String, number: Int? = nil, state: String, node: String? = nil,
    partition: String? = nil, reason: String? = nil
  ) {
    self.cluster = cluster
    self.name = name
    self.number = number
    self.state = state
    self.node = node
    self.partition = partition
    self.reason = reason
  }

  /// "Slurm's segmentd-1f3a9c02-17-9b2e77d1-1 (job 42), RUNNING on w2, partition batch".
  public var text: String {
    "\(cluster)'s \(name)" + (number.map { " (job \($0))" } ?? "") + ", \(state)"
      + (node.map { " on \($0)" } ?? "") + (partition.map { ", partition \($0)" } ?? "")
      + (reason.map { ", waits: \($0)" } ?? "")
  }
}

extension Ledger {
  /// Keeps where the attempt at a running job is; of a job that does not run, nothing.
  public func note(_ place: JobPlace, of job: Int64) throws(LedgerError) {
    try write { db in
      let coder = JSONEncoder()
      coder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      try db.execute(
        sql: "UPDATE attempts SET place = ? WHERE job_id = ? AND finished_at IS NULL",
        arguments: [String(decoding: try coder.encode(place), as: UTF8.self), job])
    }
  }

  /// Tells in the history that a node of a cluster is given no jobs for a while.
  ///
  /// - Parameters:
  ///   - message: which, why and until when; for people, without patient data.
  ///   - id: the number of the job that failed there last.
  public func noteExcludedNode(_ message: String, job id: Int64) throws(LedgerError) {
    try write { db in
      let series = try String.fetchOne(
        db, sql: "SELECT series_uid FROM jobs WHERE id = ?", arguments: [id])
      try event(db, "node excluded", by: .fault, series: series, job: id, message)
    }
  }

  func place(_ row: Row) throws -> JobPlace? {
    try (row.value("place") as String?).map {
      try JSONDecoder().decode(JobPlace.self, from: Data($0.utf8))
    }
  }
}
