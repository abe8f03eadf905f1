/// One two-dimensional image of a series as its attributes describe it: a classic instance, or one
/// frame of a multi-frame instance. Pixels are not held here.
///
/// Values are as read: absent or unusable attributes are nil or empty, and assessing them is the
/// task of the geometry gate.
public struct ImageFrame: Sendable, Equatable, Codable {
  public var sopClassUID = ""
  public var sopInstanceUID = ""
  /// Position in a multi-frame instance from 1 (PS3.3 C.7.6.16), nil for a classic instance.
  public var frameNumber: Int?
  /// Which tile of a mosaic or grid the image is; nil for every other image.
  public var mosaicTile: MosaicTile?
  /// Why the tiles of a mosaic cannot be told; nil where the image is none or they can.
  public var mosaicDefect: String?
  /// The file that the image was read from; empty where it is not from a file.
  public var file = ""
  public var studyInstanceUID = ""
  public var seriesInstanceUID = ""
  public var frameOfReferenceUID = ""
  /// PatientID (0010,0020) as in the file; never to be logged.
  public var patientID = ""
  /// PatientName (0010,0010) and PatientBirthDate (0010,0030), compared and never shown.
  public var patientName = ""
  public var patientBirthDate = ""
  /// Further values by which archives tell patients and studies apart, compared and never shown.
  public var patientSex = ""
  public var issuerOfPatientID = ""
  public var accessionNumber = ""
  public var studyID = ""
  public var studyDate = ""
  /// Laterality (0020,0060) or Image Laterality (0020,0062).
  public var laterality = ""
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
  /// Whether a table takes the place of slope and intercept (Modality LUT Sequence (0028,3000)).
  public var hasModalityLUT = false
  public var pixelPaddingValue: Int?
  public var pixelPaddingRangeLimit: Int?

  // What tells volumes apart when positions repeat in one series.
  public var acquisitionNumber: Int?
  public var echoTime: Double?
  public var echoNumber: Int?
  public var inversionTime: Double?
  public var triggerTime: Double?
  /// Number of the heart phase (Philips (2001,1008)).
  public var cardiacPhase: Double?
  /// Nominal Percentage of Cardiac Phase (0020,9241), in percent of the cycle.
  public var nominalPercentageOfCardiacPhase: Double?
  public var temporalPosition: Int?
  /// s/mm², from the standard attribute or a vendor's.
  public var bValue: Double?
  /// Direction of the diffusion gradient: a unit vector, empty where absent.
  public var gradientDirection: [Double] = []
  /// DIRECTIONAL, ISOTROPIC or NONE, Diffusion Directionality (0018,9075).
  public var diffusionDirectionality: String?
  /// Frame Reference Time (0054,1300) in ms, of PET.
  public var frameReferenceTime: Double?
  public var acquisitionDate: String?
  public var acquisitionTime: String?
  public var contentDate: String?
  public var contentTime: String?
  public var convolutionKernel: String?
  /// Scan Options (0018,0022), such as FS for fat saturation.
  public var scanOptions: [String] = []
  /// Complex Image Component (0008,9208) of an enhanced instance, such as MAGNITUDE or PHASE.
  public var complexComponent: String?
  /// Contrast agent and start time, or phase.
  public var contrast: String?
  /// Tube voltage in kV: what tells the images of dual energy apart.
  public var tubeVoltage: Double?
  /// Stack ID (0020,9056) of an enhanced instance.
  public var stackID: String?
  /// The index of each dimension of an enhanced instance that is not a place, by keyword.
  public var dimensions: [String: Int] = [:]

  public init() {}
}

/// The place of an image in a Siemens mosaic or United Imaging grid: many slices tiled in one frame.
public struct MosaicTile: Sendable, Equatable, Codable {
  /// Tile number from 0, in rows of tiles.
  public var index: Int
  /// Column and row of its first pixel in the mosaic, and the mosaic's size.
  public var column: Int
  public var row: Int
  public var mosaicColumns: Int
  public var mosaicRows: Int

  public init(index: Int, column: Int, row: Int, mosaicColumns: Int, mosaicRows: Int) {
    self.index = index
    self.column = column
    self.row = row
    self.mosaicColumns = mosaicColumns
    self.mosaicRows = mosaicRows
  }
}
