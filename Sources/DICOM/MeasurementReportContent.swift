import CDCMTK
import Terminology

/// The content of a measurement report (PS3.16, TID 1500), in English: who measured, which images, and what
/// came of it. DCMTK encodes it.
///
/// Texts are stored as they are given here: in the character set of the dataset that they become a part of,
/// and no longer than their VR admits.
///
/// ```swift
/// var content = MeasurementReportContent(observer: device, procedure: procedure, algorithm: algorithm)
/// content.images = images
/// content.groups = groups
/// let dataset = try content.dataset()
/// ```
public struct MeasurementReportContent: Sendable, Equatable, Codable {
  /// The device that observes (TID 1004).
  public struct Observer: Sendable, Equatable, Codable {
    public var uid: String
    public var name: String
    public var manufacturer: String
    public var modelName: String
    public var serialNumber: String

    public init(
      uid: String, name: String, manufacturer: String, modelName: String, serialNumber: String
    ) {
      self.uid = uid
      self.name = name
      self.manufacturer = manufacturer
      self.modelName = modelName
      self.serialNumber = serialNumber
    }
  }

  /// An algorithm (TID 4019).
  public struct Algorithm: Sendable, Equatable, Codable {
    public var name: String
    public var version: String

    public init(name: String, version: String) {
      self.name = name
      self.version = version
    }
  }

  /// An instance with the series and study that it is of.
  public struct Instance: Sendable, Equatable, Hashable, Codable {
    public var studyInstanceUID: String
    public var seriesInstanceUID: String
    public var sopClassUID: String
    public var sopInstanceUID: String

    public init(
      studyInstanceUID: String, seriesInstanceUID: String, sopClassUID: String,
      sopInstanceUID: String
    ) {
      self.studyInstanceUID = studyInstanceUID
      self.seriesInstanceUID = seriesInstanceUID
      self.sopClassUID = sopClassUID
      self.sopInstanceUID = sopInstanceUID
    }
  }

  /// What all images of the library share (TID 1602).
  public struct ImageDescription: Sendable, Equatable, Codable {
    /// A modality of CID 29, or empty.
    public var modality: String
    /// Empty where the images share none.
    public var frameOfReferenceUID: String
    public var rows: Int
    public var columns: Int

    public init(modality: String, frameOfReferenceUID: String, rows: Int, columns: Int) {
      self.modality = modality
      self.frameOfReferenceUID = frameOfReferenceUID
      self.rows = rows
      self.columns = columns
    }
  }

  /// A segment that is measured.
  public struct Segment: Sendable, Equatable, Codable {
    public var sopClassUID: String
    public var sopInstanceUID: String
    /// Segment Number (0062,0004).
    public var number: Int
    public var sourceSeriesInstanceUID: String

    public init(
      sopClassUID: String, sopInstanceUID: String, number: Int, sourceSeriesInstanceUID: String
    ) {
      self.sopClassUID = sopClassUID
      self.sopInstanceUID = sopInstanceUID
      self.number = number
      self.sourceSeriesInstanceUID = sourceSeriesInstanceUID
    }
  }

  /// A number (TID 300, TID 1419).
  public struct Measurement: Sendable, Equatable, Codable {
    public var concept: CodedConcept
    /// DS: 16 characters at most.
    public var value: String
    /// Of UCUM.
    public var unit: CodedConcept
    /// As mean or standard deviation; nil for none.
    public var derivation: CodedConcept?

    public init(
      _ concept: CodedConcept, _ value: String, _ unit: CodedConcept,
      derivation: CodedConcept? = nil
    ) {
      self.concept = concept
      self.value = value
      self.unit = unit
      self.derivation = derivation
    }
  }

  /// A statement that is no number.
  public struct Evaluation: Sendable, Equatable, Codable {
    public enum Value: Sendable, Equatable, Codable {
      case code(CodedConcept)
      case text(String)
    }
    public var concept: CodedConcept
    public var value: Value

    public init(_ concept: CodedConcept, _ value: Value) {
      self.concept = concept
      self.value = value
    }
  }

  /// Measurements of one thing: of a segment (TID 1411), or of another (TID 1501).
  public struct Group: Sendable, Equatable, Codable {
    public var trackingID: String
    public var trackingUID: String
    public var finding: CodedConcept
    public var site: CodedConcept?
    public var laterality: CodedConcept?
    public var segment: Segment?
    public var measurements: [Measurement] = []
    public var evaluations: [Evaluation] = []

    public init(trackingID: String, trackingUID: String, finding: CodedConcept) {
      self.trackingID = trackingID
      self.trackingUID = trackingUID
      self.finding = finding
    }
  }

  public var observer: Observer
  /// The procedure that made the images, of CID 100.
  public var procedure: CodedConcept
  public var algorithm: Algorithm
  public var imageDescription: ImageDescription
  /// Those of the image library (TID 1600).
  public var images: [Instance] = []
  /// Further instances that the report refers to, such as segmentations.
  public var evidence: [Instance] = []
  public var groups: [Group] = []
  /// On the whole report.
  public var evaluations: [Evaluation] = []

  public init(
    observer: Observer, procedure: CodedConcept, algorithm: Algorithm,
    imageDescription: ImageDescription
  ) {
    self.observer = observer
    self.procedure = procedure
    self.algorithm = algorithm
    self.imageDescription = imageDescription
  }

  /// The elements of the SR Document General and SR Document Content modules (PS3.3 C.17.2, C.17.3) of a
  /// Comprehensive 3D SR, as DCMTK encodes the content. The document is complete and not verified.
  ///
  /// - Throws: ``DICOMError/notStorable(tag:reason:)`` where DCMTK refuses a value.
  public func dataset() throws(DICOMError) -> Dataset {
    try DCMTK.prepare()
    let encoder = try ReportEncoder()
    try encoder.encode(self)
    return try encoder.dataset()
  }
}

/// The SOP class of measurement reports (PS3.4 B.5).
public enum MeasurementReportStorage {
  /// Comprehensive 3D SR Storage.
  public static let sopClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
}

/// Hands a report's content to DCMTK.
private final class ReportEncoder {
  private let report: OpaquePointer

  init() throws(DICOMError) {
    guard let report = cdcmtk_report_create() else {
      throw .notStorable(tag: .contentSequence, reason: "out of memory")
    }
    self.report = report
  }

  deinit { cdcmtk_report_free(report) }

  func encode(_ content: MeasurementReportContent) throws(DICOMError) {
    let observer = content.observer
    try call { texts, error in
      var device = cdcmtk_device(
        uid: texts(observer.uid), name: texts(observer.name),
        manufacturer: texts(observer.manufacturer), model_name: texts(observer.modelName),
        serial_number: texts(observer.serialNumber))
      var procedure = texts(content.procedure)
      return cdcmtk_report_begin(report, &device, &procedure, error)
    }
    let described = content.imageDescription
    try call { texts, error in
      cdcmtk_report_begin_images(
        report, texts(described.modality), texts(described.frameOfReferenceUID),
        UInt16(clamping: described.rows), UInt16(clamping: described.columns), error)
    }
    for image in content.images {
      try call { texts, error in
        var instance = texts(image)
        return cdcmtk_report_add_image(report, &instance, error)
      }
    }
    for instance in content.images + content.evidence {
      try call { texts, error in
        var instance = texts(instance)
        return cdcmtk_report_add_evidence(report, &instance, error)
      }
    }
    for group in content.groups { try encode(group, content.algorithm) }
    for evaluation in content.evaluations {
      try encode(evaluation) { cdcmtk_report_add_evaluation(report, $0, $1, $2, $3) }
    }
  }

  private func encode(
    _ group: MeasurementReportContent.Group, _ algorithm: MeasurementReportContent.Algorithm
  ) throws(DICOMError) {
    try call { texts, error in
      var described = cdcmtk_group(
        tracking_id: texts(group.trackingID), tracking_uid: texts(group.trackingUID),
        finding: texts.pointer(group.finding), site: texts.pointer(group.site),
        laterality: texts.pointer(group.laterality))
      guard let segment = group.segment else {
        return cdcmtk_report_begin_group(report, &described, nil, error)
      }
      var reference = cdcmtk_segment(
        sop_class_uid: texts(segment.sopClassUID),
        sop_instance_uid: texts(segment.sopInstanceUID), number: UInt16(clamping: segment.number),
        source_series_uid: texts(segment.sourceSeriesInstanceUID))
      return cdcmtk_report_begin_group(report, &described, &reference, error)
    }
    for measurement in group.measurements {
      try call { texts, error in
        var number = cdcmtk_measurement(
          concept: texts.pointer(measurement.concept), value: texts(measurement.value),
          unit: texts.pointer(measurement.unit), derivation: texts.pointer(measurement.derivation),
          algorithm_name: texts(algorithm.name), algorithm_version: texts(algorithm.version))
        return cdcmtk_report_add_measurement(report, &number, error)
      }
    }
    for evaluation in group.evaluations {
      try encode(evaluation) { cdcmtk_report_add_group_evaluation(report, $0, $1, $2, $3) }
    }
  }

  private func encode(
    _ evaluation: MeasurementReportContent.Evaluation,
    _ add: (
      UnsafePointer<cdcmtk_code>, UnsafePointer<cdcmtk_code>?, UnsafePointer<CChar>?,
      UnsafeMutablePointer<cdcmtk_error>
    ) -> Int32
  ) throws(DICOMError) {
    try call { texts, error in
      var concept = texts(evaluation.concept)
      switch evaluation.value {
      case .code(let value):
        var value = texts(value)
        return add(&concept, &value, nil, error)
      case .text(let text): return add(&concept, nil, texts(text), error)
      }
    }
  }

  func dataset() throws(DICOMError) -> Dataset {
    try datasetOfDCMTK(.contentSequence) { cdcmtk_report_finish(report, $0, $1) }
  }

  private func call(
    _ body: (CallTexts, UnsafeMutablePointer<cdcmtk_error>) -> Int32
  ) throws(DICOMError) { try callDCMTK(.contentSequence, body) }
}

extension CallTexts {
  fileprivate func callAsFunction(_ instance: MeasurementReportContent.Instance) -> cdcmtk_instance
  {
    cdcmtk_instance(
      study_uid: self(instance.studyInstanceUID), series_uid: self(instance.seriesInstanceUID),
      sop_class_uid: self(instance.sopClassUID), sop_instance_uid: self(instance.sopInstanceUID))
  }
}
