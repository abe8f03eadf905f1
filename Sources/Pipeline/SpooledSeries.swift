import Ingest
import JobLedger
import SeriesReading

extension SeriesFiles {
  /// The files of a received series in the spool.
  init(_ instances: SeriesInstances, in state: StateDirectory) {
    self.init(
      seriesInstanceUID: instances.seriesInstanceUID,
      files: instances.current.map { state.file($0.spoolPath) },
      replaced: instances.replaced.map { state.file($0.spoolPath) })
  }
}
