import DICOM
import Ingest
import JobLedger
import SeriesReading

extension SeriesFiles {
  /// The files of a received series in the spool, without objects that are stored alone.
  init(_ instances: SeriesInstances, in state: StateDirectory) {
    self.init(
      seriesInstanceUID: instances.seriesInstanceUID,
      files: instances.current.filter(\.isImage).map { state.file($0.spoolPath) },
      replaced: instances.replaced.filter(\.isImage).map { state.file($0.spoolPath) })
  }
}

extension InstanceRecord {
  /// Whether it is of a kind that is segmented.
  var isImage: Bool { ImageStorage.sopClasses.contains(sopClassUID) }
}

extension Ledger {
  /// Whether a series has images; one of segmentations or other results is stored alone.
  func hasImages(_ series: String) throws(LedgerError) -> Bool {
    try instances(series: series).current.contains(where: \.isImage)
  }

  /// The series of a study that have images, or the one named.
  ///
  /// - Throws: ``LedgerError/unknownStudy(_:)`` or ``LedgerError/unknownSeries(series:study:)``
  public func imageSeries(ofStudy study: String, only series: String? = nil) throws(LedgerError)
    -> [SeriesOfStudy]
  {
    var found: [SeriesOfStudy] = []
    for one in try self.series(ofStudy: study, only: series)
    where try hasImages(one.seriesInstanceUID) {
      found.append(one)
    }
    return found
  }
}
