import ConfigurationFile
import Foundation
import JobLedger

extension Diagnosis {
  /// What came of the last golden check of each model.
  func checkFindings() -> [Finding] {
    let library = configuration.modelLibrary
    let checked = Set(configuration.checkedModels(library))
    guard FileManager.default.fileExists(atPath: state.ledger.path),
      let checks = try? Ledger(reading: state.ledger.path).lastGoldenChecks()
    else { return [] }
    return configuration.routedModels.map { model in
      let subject = "golden check \(model)"
      guard checked.contains(model) else {
        return .good(subject, "the model has no golden case")
      }
      return finding(subject, checks.first { $0.model == model })
    }
  }

  private func finding(_ subject: String, _ check: GoldenCheck?) -> Finding {
    let advice = "segmentd check-golden makes one now"
    guard let check, let outcome = check.outcome, let end = check.finishedAt else {
      return configuration.nightlyCheck == nil
        ? .good(subject, "never run; nightlyCheck: is not set")
        : .warning(subject, "not run yet", advice)
    }
    let text = "\(outcome.rawValue) on \(end.formatted(.iso8601)): \(check.message ?? "")"
    switch outcome {
    case .failed:
      return .fault(
        subject, text,
        "pause processing (segmentd pause), see the operator's guide, The golden check")
    case .omitted: return .warning(subject, text, advice)
    case .passed:
      let isOld = Date().timeIntervalSince(end) > 2 * 86_400
      return configuration.nightlyCheck != nil && isOld
        ? .warning(
          subject, text + "; none since", "check whether there is ever a time without jobs")
        : .good(subject, text)
    }
  }
}
