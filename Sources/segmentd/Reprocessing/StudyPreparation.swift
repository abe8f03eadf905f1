import Ingest
import JobLedger
import Pipeline

/// Why a study cannot be segmented again; the others are.
struct StudyProblem: Error, CustomStringConvertible {
  var description: String
}

/// Brings the originals of studies back where they are lost, and plans their jobs.
struct StudyPreparation {
  let parts: ConfiguredParts
  let planner: ReprocessPlanner

  /// - Parameter isAlone: whether this process holds the lock of the state directory.
  func plan(_ study: ReprocessTargets.Study, isAlone: Bool) async throws -> Result<
    StudyPlan, StudyProblem
  > {
    let uid = study.studyInstanceUID
    let lost = try (study.requests ?? []).map(\.seriesInstanceUID).filter(lacksFiles)
    do {
      let together = try planner.absentInputs(ofStudy: uid).filter { !lost.contains($0) }
      if !(lost.isEmpty && together.isEmpty), let source = try parts.querySource() {
        // What comes to the same result needs no images.
        let before = try planner.plan(study: uid, study.requests)
        let isPlanned = before.unplanned.isEmpty
        if isPlanned, lost.isEmpty || before.jobs.allSatisfy({ $0.effect == .same }) {
          return .success(before)
        }
        for series in isPlanned ? lost : lost + together {
          try await retrieve(source, uid, series, isAlone)
        }
      }
      for series in try parts.ledger.unassembledSeries(ofStudy: uid) {
        warn(
          "series \(series) has not been assembled yet: the study may not have arrived as a whole")
      }
      return .success(try planner.plan(study: uid, study.requests))
    } catch let error as LedgerError {
      throw error
    } catch {
      return .failure(StudyProblem(description: "study \(uid): \(error)"))
    }
  }

  /// A study of which nothing is here: it is retrieved, where there is a source.
  ///
  /// - Parameter study: that was named with a series.
  /// - Returns: nil where a daemon makes the jobs.
  func planUnknown(_ uid: String, in study: String?, isAlone: Bool) async throws -> Result<
    StudyPlan, StudyProblem
  >? {
    let series = study.flatMap { $0 == uid ? nil : uid }
    let name = (series.map { "series \($0) of " } ?? "") + "study \(study ?? uid)"
    guard let source = try parts.querySource() else {
      return .failure(
        StudyProblem(description: "nothing of \(name) was ever received, and no querySource is set")
      )
    }
    do {
      try await retrieve(source, study ?? uid, series, isAlone)
      guard isAlone else {
        warn("study \(study ?? uid) came, and the daemon makes its jobs")
        return nil
      }
      let requests = series.map {
        [ReprocessPlanner.Request(seriesInstanceUID: $0, isNamed: true)]
      }
      return .success(try planner.plan(study: study ?? uid, requests))
    } catch {
      return .failure(StudyProblem(description: "\(error)"))
    }
  }

  private func lacksFiles(_ series: String) throws -> Bool {
    try SpoolCheck(state: parts.state).missing(
      parts.ledger.instances(series: series).current) != nil
  }

  private func retrieve(
    _ source: any QuerySource, _ study: String, _ series: String?, _ isAlone: Bool
  ) async throws {
    warn("retrieving the originals of study \(study) from \(source)")
    let retrieval = StudyRetrieval(parts: parts, source: source, isAlone: isAlone)
    for row in try await retrieval.run(study: study, series: series) {
      if let problem = row.problem { warn("series \(row.seriesInstanceUID): \(problem)") }
    }
  }
}
