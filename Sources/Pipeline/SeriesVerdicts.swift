import JobLedger
import SeriesReading

extension SeriesVerdict {
  /// The same with what is known to be missing, which comes first: it causes the gaps that it leaves.
  ///
  /// - Parameter isHeld: whether the series is held for it.
  func incomplete(because missing: [String], isHeld: Bool) -> SeriesVerdict {
    SeriesVerdict(
      seriesInstanceUID: seriesInstanceUID, kind: isHeld ? .held : kind,
      reasons: missing + reasons, volumes: volumes)
  }

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
