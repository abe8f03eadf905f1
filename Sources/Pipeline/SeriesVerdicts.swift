import JobLedger
import SeriesReading

extension SeriesVerdict {
  /// An assessment as the ledger records it.
  init(_ summary: AssessmentSummary) {
    let kind: Kind =
      switch summary.verdict {
      case .accepted: .accepted
      case .repaired: .repaired
      case .held: .held
      }
    self.init(
      seriesInstanceUID: summary.seriesInstanceUID, kind: kind, reasons: summary.reasons,
      volumes: summary.volumes.map {
        Volume(dims: $0.dims, splitBy: $0.splitBy, images: $0.images)
      })
  }
}
