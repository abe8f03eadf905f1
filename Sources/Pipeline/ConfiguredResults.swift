import ConfigurationFile
import Results

extension SiteConfiguration.Results {
  /// The section `results:` as what writes objects takes it.
  public var options: ResultOptions {
    var options = ResultOptions()
    options.keepsEmptyFrames = keepEmptyFrames
    options.maximumFrames = maximumFrames > 0 ? maximumFrames : nil
    options.writesReport = report == .measurements
    options.writesLabelMap = labelmap
    options.writesFractional = fractional
    options.writesStructureSet = rtstruct
    options.holdsSuspect = suspect == .hold
    options.namesReplaced = onEarlierResult == .replace
    switch captures {
    case .none: options.captures = .none
    case .frames: options.captures = .frames
    case .page: options.captures = .page
    case .both: options.captures = .both
    }
    switch nothingFound {
    case .report: options.nothingFound = .report
    case .segmentation: options.nothingFound = .segmentation
    case .none: options.nothingFound = .none
    }
    return options
  }
}

extension SiteConfiguration {
  /// How the daemon writes results: by the section `results:`, and with what its destinations ask for.
  public var resultOptions: ResultOptions {
    var options = results.options
    options.writesSingleFrames = destinations.contains(where: \.singleFrames)
    // Where a destination adds, it gets copies that do not name them.
    options.namesReplaced =
      options.namesReplaced || destinations.contains { onEarlierResult(at: $0) == .replace }
    return options
  }
}
