import JobLedger
import Pipeline

/// The series that `reprocess` is about, by study.
struct ReprocessTargets {
  struct Study {
    var studyInstanceUID: String
    /// Nil for every series, of a study of which nothing is known yet.
    var requests: [ReprocessPlanner.Request]?
  }

  var studies: [Study] = []
  /// UIDs of which nothing is known here.
  var unknown: [String] = []

  init(_ options: ReprocessSelectionOptions, _ ledger: Ledger) throws {
    let listed = try options.listed()
    let narrows = !options.studies.isEmpty && !options.series.isEmpty
    let named = options.studies + (narrows ? [] : options.series) + listed
    // An empty file names none, and not all.
    guard !named.isEmpty || options.from == nil else { return }
    var selection = ReprocessSelection()
    selection.uids = named
    selection.receivedSince = options.since?.date
    selection.onlyFailed = options.onlyFailed
    if named.isEmpty { selection.model = options.model }
    let (series, others) = (Set(options.series), Set(listed))
    for row in try ledger.selectedSeries(selection) {
      let (study, uid) = (row.studyInstanceUID, row.seriesInstanceUID)
      guard !narrows || series.contains(uid) || others.contains(uid) || others.contains(study)
      else { continue }
      let request = ReprocessPlanner.Request(
        seriesInstanceUID: uid, isNamed: series.contains(uid) || others.contains(uid),
        models: options.onlyFailed ? row.failedModels : nil)
      if studies.last?.studyInstanceUID == study {
        studies[studies.count - 1].requests?.append(request)
      } else {
        studies.append(Study(studyInstanceUID: study, requests: [request]))
      }
    }
    unknown = try ledger.unknown(named + (narrows ? options.series : []))
  }
}
