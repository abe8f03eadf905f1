import ConfigurationFile
import Results

extension SiteConfiguration.Results {
  /// The section `results:` as what writes objects takes it.
  public var options: ResultOptions {
    var options = ResultOptions()
    options.keepsEmptyFrames = keepEmptyFrames
    options.maximumFrames = maximumFrames > 0 ? maximumFrames : nil
    options.writesReport = report == .measurements
    options.holdsSuspect = suspect == .hold
    switch nothingFound {
    case .report: options.nothingFound = .report
    case .segmentation: options.nothingFound = .segmentation
    case .none: options.nothingFound = .none
    }
    return options
  }
}
