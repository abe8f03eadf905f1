import JobLedger

/// What a head was told that waits at a listener.
struct ToldBacklog {
  private let series: Set<String>
  private let isEmpty: Bool

  init(_ backlog: HandoverBacklog) {
    series = Set(backlog.series)
    isEmpty = backlog.waiting == 0
  }

  /// Whether the head may be given these entries without being told again what waits: it knows of every series of which
  /// they have instances, as it assembles none of which it knows that more of it waits.
  ///
  /// - Parameter entries: those that come next; where there is none, whether it knows that nothing waits.
  func isEnough(for entries: [HandoverEntry]) -> Bool {
    guard !entries.isEmpty else { return isEmpty }
    return entries.allSatisfy { entry in
      entry.instance.map { series.contains($0.record.seriesInstanceUID) } ?? true
    }
  }
}
