import ConfigurationFile
import Results

extension SiteConfiguration.Results {
  /// The section `results:` as what writes objects takes it.
  public var options: SegmentationOptions {
    var options = SegmentationOptions()
    options.keepsEmptyFrames = keepEmptyFrames
    options.maximumFrames = maximumFrames > 0 ? maximumFrames : nil
    options.writesNothingFound = nothingFound == .segmentation
    return options
  }
}
