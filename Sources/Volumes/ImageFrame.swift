/// One two-dimensional image of a series as its attributes describe it: a classic instance, or one
/// frame of a multi-frame instance. Pixels are not held here.
///
/// Values are as read: absent or unusable attributes are nil or empty, and judging them is the
/// task of ``assess(frames:rules:)``.
public struct ImageFrame: Sendable, Equatable, Codable {
  public var sopClassUID = ""
  public var sopInstanceUID = ""
  /// Position in a multi-frame instance from 1 (PS3.3 C.7.6.16), nil for a classic instance.
  public var frameNumber: Int?
  public var studyInstanceUID = ""
  public var seriesInstanceUID = ""
  public var frameOfReferenceUID = ""
  /// PatientID (0010,0020) as in the file; never to be logged.
  public var patientID = ""
  public var modality = ""
  public var imageType: [String] = []
  public var instanceNumber: Int?

  public var rows = 0
  public var columns = 0
  public var samplesPerPixel = 1
  public var photometricInterpretation = ""
  public var bitsAllocated = 0
  public var bitsStored = 0
  public var highBit = 0
  public var isSigned = false

  /// Image Orientation (Patient): direction cosines of a row, then of a column.
  public var imageOrientation: [Double] = []
  /// Image Position (Patient) in mm.
  public var imagePosition: [Double] = []
  /// Pixel Spacing in mm: between rows (down a column), then between columns.
  public var pixelSpacing: [Double] = []
  public var sliceThickness: Double?

  public var rescaleSlope: Double?
  public var rescaleIntercept: Double?
  public var rescaleType: String?
  public var pixelPaddingValue: Int?
  public var pixelPaddingRangeLimit: Int?

  // What tells volumes apart when positions repeat in one series.
  public var acquisitionNumber: Int?
  public var echoTime: Double?
  public var triggerTime: Double?
  public var temporalPosition: Int?
  public var bValue: Double?
  public var acquisitionTime: String?
  public var convolutionKernel: String?

  public init() {}
}

/// Frames of one series that form one regular volume, ordered along the slice axis of `grid`.
public struct SliceStack: Sendable, Equatable, Codable {
  public var grid: VolumeGrid
  /// `frames[k]` lies at slice index k of `grid`.
  public var frames: [ImageFrame]
  /// The attributes and values that set this volume apart within its series; empty when alone.
  public var splitBy: [String: String]

  public init(grid: VolumeGrid, frames: [ImageFrame], splitBy: [String: String] = [:]) {
    self.grid = grid
    self.frames = frames
    self.splitBy = splitBy
  }
}
