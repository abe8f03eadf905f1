import DICOM
import Ingest
import JobLedger
import SeriesReading

extension SeriesFiles {
  /// The files of a received series in the spool, without objects that are stored alone.
  init(_ instances: SeriesInstances, in state: StateDirectory) {
    let images = instances.current.filter(\.isImage)
    self.init(
      seriesInstanceUID: instances.seriesInstanceUID,
      files: images.map { state.file($0.spoolPath) },
      replaced: instances.replaced.filter(\.isImage).map { state.file($0.spoolPath) },
      hashes: Dictionary(
        images.map { (state.file($0.spoolPath), $0.contentHash) },
        uniquingKeysWith: { first, _ in first }))
  }
}

extension InstanceRecord {
  /// Whether it is of a kind that is segmented.
  var isImage: Bool { ImageStorage.sopClasses.contains(sopClassUID) }
}

extension Ledger {
  /// Whether a series has images or lacks some that were refused; one of segmentations or other
  /// results alone is stored and nothing else.
  func isImageSeries(_ series: String) throws(LedgerError) -> Bool {
    let received = try instances(series: series).current
    if received.isEmpty || received.contains(where: \.isImage) { return true }
    return try !incompleteness(series: series).refused.isEmpty
  }

  /// The series of a study that are of images, or the one named.
  ///
  /// - Throws: ``LedgerError/unknownStudy(_:)`` or ``LedgerError/unknownSeries(series:study:)``
  public func imageSeries(ofStudy study: String, only series: String? = nil) throws(LedgerError)
    -> [SeriesOfStudy]
  {
    var found: [SeriesOfStudy] = []
    for one in try self.series(ofStudy: study, only: series)
    where try isImageSeries(one.seriesInstanceUID) {
      found.append(one)
    }
    return found
  }
}
