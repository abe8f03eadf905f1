import CDCMTK
import Terminology

/// The SOP class of structure sets (PS3.4 B.5).
public enum StructureSetStorage {
  /// RT Structure Set Storage.
  public static let sopClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
}

/// What a structure set says (PS3.3 A.19), for DCMTK to encode.
///
/// ```swift
/// let content = try StructureSetContent(description)
/// try content.addSeries(uid, images: images)
/// try content.addRegion(liver)
/// try content.addContour(points, on: images[0])
/// let dataset = try content.dataset()
/// ```
public final class StructureSetContent {
  /// What it says as a whole; texts in the character set of the dataset that it becomes a part of.
  public struct Description {
    public var label: String
    public var name: String
    public var description: String
    /// DA and TM.
    public var date: String
    public var time: String
    public var studyInstanceUID: String
    public var frameOfReferenceUID: String

    public init(
      label: String, name: String, description: String, date: String, time: String,
      studyInstanceUID: String, frameOfReferenceUID: String
    ) {
      self.label = label
      self.name = name
      self.description = description
      self.date = date
      self.time = time
      self.studyInstanceUID = studyInstanceUID
      self.frameOfReferenceUID = frameOfReferenceUID
    }
  }

  /// An image that contours are on.
  public struct Image: Hashable {
    public var sopClassUID: String
    public var sopInstanceUID: String
    /// From 1; nil for an instance with one frame.
    public var frameNumber: Int?

    public init(sopClassUID: String, sopInstanceUID: String, frameNumber: Int?) {
      self.sopClassUID = sopClassUID
      self.sopInstanceUID = sopInstanceUID
      self.frameNumber = frameNumber
    }
  }

  /// A region of interest, and what is observed in it.
  public struct Region {
    /// From 1.
    public var number: Int
    public var name: String
    /// ROI Observation Label (3006,0085).
    public var label: String
    /// Red, green, blue of sRGB.
    public var color: [UInt8]
    /// RT ROI Interpreted Type (3006,00A4); empty for none.
    public var interpretedType: String
    public var category: CodedConcept
    public var type: CodedConcept
    public var modifier: CodedConcept?

    public init(
      number: Int, name: String, label: String, color: [UInt8], interpretedType: String,
      category: CodedConcept, type: CodedConcept, modifier: CodedConcept?
    ) {
      self.number = number
      self.name = name
      self.label = label
      self.color = color
      self.interpretedType = interpretedType
      self.category = category
      self.type = type
      self.modifier = modifier
    }
  }

  private let structures: OpaquePointer

  public init(_ description: Description) throws(DICOMError) {
    try DCMTK.prepare()
    guard let structures = cdcmtk_structures_create() else {
      throw .notStorable(tag: .structureSetROISequence, reason: "out of memory")
    }
    self.structures = structures
    try call { texts, error in
      var set = cdcmtk_structure_set(
        label: texts(description.label), name: texts(description.name),
        description: texts(description.description), date: texts(description.date),
        time: texts(description.time),
        frame_of_reference_uid: texts(description.frameOfReferenceUID))
      return cdcmtk_structures_begin(structures, &set, texts(description.studyInstanceUID), error)
    }
  }

  deinit { cdcmtk_structures_free(structures) }

  public func addSeries(_ uid: String, images: [Image]) throws(DICOMError) {
    try call { texts, error in cdcmtk_structures_add_series(structures, texts(uid), error) }
    for image in images {
      try call { texts, error in
        var image = texts(image)
        return cdcmtk_structures_add_image(structures, &image, error)
      }
    }
  }

  public func addRegion(_ region: Region) throws(DICOMError) {
    try call { texts, error in
      var category = texts(region.category)
      var type = texts(region.type)
      return withUnsafePointer(to: &category) { category in
        withUnsafePointer(to: &type) { type in
          var described = cdcmtk_region(
            number: UInt32(clamping: region.number), name: texts(region.name),
            label: texts(region.label),
            color: (region.color[0], region.color[1], region.color[2]),
            interpreted_type: texts(region.interpretedType), category: category, type: type,
            modifier: texts.pointer(region.modifier))
          return cdcmtk_structures_add_region(structures, &described, error)
        }
      }
    }
  }

  /// Adds a closed planar contour to the region that was added last.
  ///
  /// - Parameters:
  ///   - points: x, y and z in mm, one point after the other; they are written with four decimals.
  ///   - image: whose plane they are on.
  public func addContour(_ points: [Double], on image: Image) throws(DICOMError) {
    try call { texts, error in
      var image = texts(image)
      return cdcmtk_structures_add_contour(structures, &image, points, points.count / 3, error)
    }
  }

  /// The structure set, and nothing of what other modules say; may be called once.
  public func dataset() throws(DICOMError) -> Dataset {
    let whole = try datasetOfDCMTK(.structureSetROISequence) {
      cdcmtk_structures_finish(structures, $0, $1)
    }
    var dataset = Dataset()
    for (tag, element) in whole.elements where tag.group == 0x3006 || tag == .approvalStatus {
      dataset[tag] = element
    }
    return dataset
  }

  private func call(
    _ body: (CallTexts, UnsafeMutablePointer<cdcmtk_error>) -> Int32
  ) throws(DICOMError) { try callDCMTK(.structureSetROISequence, body) }
}

extension CallTexts {
  fileprivate func callAsFunction(_ image: StructureSetContent.Image) -> cdcmtk_contour_image {
    cdcmtk_contour_image(
      sop_class_uid: self(image.sopClassUID), sop_instance_uid: self(image.sopInstanceUID),
      frame_number: UInt32(clamping: image.frameNumber ?? 0))
  }
}

/// Structure sets (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8), by PS3.6 keyword.
extension Tag {
  public static let operatorsName = Tag(0x0008, 0x1070)
  public static let structureSetLabel = Tag(0x3006, 0x0002)
  public static let structureSetName = Tag(0x3006, 0x0004)
  public static let structureSetDescription = Tag(0x3006, 0x0006)
  public static let structureSetDate = Tag(0x3006, 0x0008)
  public static let structureSetTime = Tag(0x3006, 0x0009)
  public static let referencedFrameOfReferenceSequence = Tag(0x3006, 0x0010)
  public static let rtReferencedStudySequence = Tag(0x3006, 0x0012)
  public static let rtReferencedSeriesSequence = Tag(0x3006, 0x0014)
  public static let contourImageSequence = Tag(0x3006, 0x0016)
  public static let structureSetROISequence = Tag(0x3006, 0x0020)
  public static let roiNumber = Tag(0x3006, 0x0022)
  public static let referencedFrameOfReferenceUID = Tag(0x3006, 0x0024)
  public static let roiName = Tag(0x3006, 0x0026)
  public static let roiDisplayColor = Tag(0x3006, 0x002A)
  public static let roiGenerationAlgorithm = Tag(0x3006, 0x0036)
  public static let roiContourSequence = Tag(0x3006, 0x0039)
  public static let contourSequence = Tag(0x3006, 0x0040)
  public static let contourGeometricType = Tag(0x3006, 0x0042)
  public static let numberOfContourPoints = Tag(0x3006, 0x0046)
  public static let contourNumber = Tag(0x3006, 0x0048)
  public static let contourData = Tag(0x3006, 0x0050)
  public static let rtROIObservationsSequence = Tag(0x3006, 0x0080)
  public static let observationNumber = Tag(0x3006, 0x0082)
  public static let referencedROINumber = Tag(0x3006, 0x0084)
  public static let roiObservationLabel = Tag(0x3006, 0x0085)
  public static let rtROIIdentificationCodeSequence = Tag(0x3006, 0x0086)
  public static let rtROIInterpretedType = Tag(0x3006, 0x00A4)
  public static let roiInterpreter = Tag(0x3006, 0x00A6)
  public static let approvalStatus = Tag(0x300E, 0x0002)
}
