import JobLedger
import SeriesSelection

extension AssessedSeries {
  /// The jobs that a series gets once it is complete.
  ///
  /// - Parameters:
  ///   - modality: Modality (0008,0060) of the series, for people.
  ///   - rules: those by which it was assessed.
  ///   - channelJobs: its jobs for models that take several series together.
  func jobs(modality: String, rules: ModelRules, channelJobs: [NewJob]) -> [NewJob] {
    switch plan {
    case .unreadable(let reason):
      // The verdict says more where instances were refused.
      let reasons = isHeldAsIncomplete ? verdict.reasons : [reason]
      return [NewJob(model: "", start: .held(reason: reasons.joined(separator: "; ")))]
    case .sliceOfStack(let series):
      return [
        NewJob(model: "", start: .cancelled(reason: "a slice of the stack of series \(series)"))
      ]
    case .waitsForStudy: return []
    case .assessed(let plan):
      // What the gate holds would be held by its job too.
      let start: NewJob.Start =
        verdict.kind == .held
        ? .held(reason: verdict.reasons.joined(separator: "; ")) : .available
      var jobs = plan.models.filter { rules.channels[$0] == nil }
        .map { job(for: $0, start: start) }
      jobs += channelJobs
      jobs += plan.tied.sorted { $0.key < $1.key }
        .map { NewJob(model: $0.key, start: .held(reason: $0.value)) }
      guard jobs.isEmpty else { return jobs }
      let reasons = plan.reasons.joined(separator: "; ")
      if plan.isPassedOver {
        return [NewJob(model: "", start: .cancelled(reason: "passed over: \(reasons)"))]
      }
      let stated = modality.isEmpty ? "empty" : modality
      let reason =
        "no rule of the configuration matches: Modality (0008,0060) is \(stated)"
        + (reasons.isEmpty ? "" : "; \(reasons)")
      return [NewJob(model: "", start: .held(reason: reason))]
    }
  }
}
