import StrictYAML

extension SiteConfiguration {
  /// How results are written.
  public struct Results: Decodable, Sendable, Equatable {
    /// Whether a segment has a frame for each image, also where it has no voxel.
    public var keepEmptyFrames = false
    /// Most frames of an object; 0 divides a result only where one object cannot hold it.
    public var maximumFrames = 0
    /// Which report is written next to segmentations.
    public var report = Report.none
    /// Whether a label map (Label Map Segmentation Storage) is written next to segmentations.
    public var labelmap = false
    /// Whether the network's probabilities are written next to segmentations, as a fractional one.
    public var fractional = false
    /// Whether an RT Structure Set is written next to segmentations.
    public var rtstruct = false
    /// What is delivered where a model finds none of its structures.
    public var nothingFound = NothingFound.report

    /// Which pictures are written as secondary captures.
    public var captures = Captures.none

    /// Pictures as DICOM objects.
    public enum Captures: String, YAMLChoice, Sendable {
      case none
      /// The images with contours.
      case frames
      /// One picture that shows the result at a glance.
      case page
      case both
    }

    /// What becomes of a result that is suspect: outside of what the model's bundle says is usual.
    public var suspect = Suspect.deliver

    public enum Suspect: String, YAMLChoice, Sendable {
      /// It is delivered, and says what is unusual.
      case deliver
      /// The series is held with what is unusual, and nothing is delivered.
      case hold
    }

    /// What a new result of images that have one already does to that.
    public var onEarlierResult = OnEarlierResult.replace

    public enum OnEarlierResult: String, YAMLChoice, Sendable {
      /// It names the series whose place it takes.
      case replace
      /// It names none: both are results of the images.
      case add
    }

    /// What a structured report says.
    public enum Report: String, YAMLChoice, Sendable {
      /// There is none.
      case none
      /// The measurements of each segment.
      case measurements
    }

    /// What shows that a series was processed and nothing was found in it.
    public enum NothingFound: String, YAMLChoice, Sendable {
      /// A structured report that says which model looked at which images and found nothing.
      case report
      /// Nothing: the ledger alone knows.
      case none
      /// A segmentation object with an empty frame for each structure of the model.
      case segmentation
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case keepEmptyFrames, maximumFrames, report, labelmap, fractional, rtstruct, nothingFound
      case captures, suspect, onEarlierResult
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      keepEmptyFrames =
        try values.decodeIfPresent(Bool.self, forKey: .keepEmptyFrames) ?? keepEmptyFrames
      maximumFrames =
        try values.decodeIfPresent(Int.self, forKey: .maximumFrames) ?? maximumFrames
      report = try values.decodeIfPresent(Report.self, forKey: .report) ?? report
      labelmap = try values.decodeIfPresent(Bool.self, forKey: .labelmap) ?? labelmap
      fractional = try values.decodeIfPresent(Bool.self, forKey: .fractional) ?? fractional
      rtstruct = try values.decodeIfPresent(Bool.self, forKey: .rtstruct) ?? rtstruct
      nothingFound =
        try values.decodeIfPresent(NothingFound.self, forKey: .nothingFound) ?? nothingFound
      captures = try values.decodeIfPresent(Captures.self, forKey: .captures) ?? captures
      suspect = try values.decodeIfPresent(Suspect.self, forKey: .suspect) ?? suspect
      onEarlierResult =
        try values.decodeIfPresent(OnEarlierResult.self, forKey: .onEarlierResult)
        ?? onEarlierResult
    }

    /// What is wrong with a value, with its key; nil for nothing.
    var problem: String? {
      (0...50_000).contains(maximumFrames)
        ? nil : "maximumFrames: \(maximumFrames) is not between 0 and 50000"
    }
  }
}
