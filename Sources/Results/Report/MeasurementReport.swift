import Cryptography
import DICOM
import FileSystem
import Foundation
import Terminology
import Volumes

/// A moment of the heartbeat.
public enum CyclePoint: String, Sendable, Equatable, Codable {
  case endDiastole, endSystole
}

/// A segmentation object that was written and proved, and what was measured in its segments.
public struct MeasuredSegmentation: Sendable, Equatable {
  /// Of the object's file.
  public var path: String
  public var identifiers: ResultIdentifiers
  /// The source images.
  public var stack: SliceStack
  /// By their numbers, from 1, each with its measurement.
  public var segments: [MeasuredSegment]
  /// What the object is about besides, such as a phase of the heart; empty for nothing.
  public var subject: String
  /// nil where the object is of no particular moment of the heartbeat.
  public var cyclePoint: CyclePoint?

  public init(
    path: String, identifiers: ResultIdentifiers, stack: SliceStack, segments: [MeasuredSegment],
    subject: String = "", cyclePoint: CyclePoint? = nil
  ) {
    self.path = path
    self.identifiers = identifiers
    self.stack = stack
    self.segments = segments
    self.subject = subject
    self.cyclePoint = cyclePoint
  }
}

/// A segment and what was measured in it.
public struct MeasuredSegment: Sendable, Equatable, Codable {
  public var description: SegmentDescription
  public var measurement: RegionMeasurement

  public init(_ description: SegmentDescription, _ measurement: RegionMeasurement) {
    self.description = description
    self.measurement = measurement
  }
}

/// The parts of a heart of which a report says what they do over a heartbeat.
public struct HeartStructures: Sendable, Equatable {
  /// Each has to be a segment by itself.
  public var cavities: [SegmentDescription]
  public var myocardium: SegmentDescription?
  /// Of the myocardium, in g/ml.
  public var density: Double

  public init(
    cavities: [SegmentDescription], myocardium: SegmentDescription?, density: Double
  ) {
    self.cavities = cavities
    self.myocardium = myocardium
    self.density = density
  }
}

/// A measurement report on the segmentations of one series (PS3.16, TID 1500), a Comprehensive 3D SR
/// (PS3.3 A.35.13): the root and, of measurements, the leaf of IHE's profile AI Results.
///
/// It says which algorithm looked at which images, and of each segment its volume, the mean and the standard
/// deviation of the source's values, and the lengths of its axes. Where nothing was found it says so: a
/// reader can tell that from a series that was never processed.
public struct MeasurementReport: ResultObject {
  /// The objects that the report measures; empty where nothing was found.
  public let segmentations: [MeasuredSegmentation]
  /// The images that were segmented, a volume each; never empty. Patient and study are those of the first.
  public let stacks: [SliceStack]
  /// What the model looks for.
  public let segments: [SegmentDescription]
  public let heart: HeartStructures?
  public let origin: ResultOrigin
  public let identifiers: ResultIdentifiers

  /// - Parameters:
  ///   - segmentations: written and proved.
  ///   - stacks: the images that were segmented, also those in which nothing was found.
  ///   - segments: what the model looks for.
  ///   - heart: where end-diastole and end-systole were segmented.
  ///   - origin: who made the segmentations, and when.
  ///   - identity: what the UIDs of the result follow from.
  public init(
    _ segmentations: [MeasuredSegmentation], of stacks: [SliceStack],
    segments: [SegmentDescription], heart: HeartStructures? = nil, origin: ResultOrigin,
    identity: ResultIdentity
  ) {
    self.segmentations = segmentations
    self.stacks = stacks
    self.segments = segments
    self.heart = heart
    self.origin = origin
    let series = DICOMUID.named("\(identity.seriesInstanceUID)/report")
    let contents = Self.contents(segmentations, origin.remarks)
    identifiers = ResultIdentifiers(
      seriesInstanceUID: series, sopInstanceUID: DICOMUID.named("\(series)/\(contents)"))
  }

  /// SHA-256 of what the report says: no two contents ever share a UID.
  private static func contents(
    _ segmentations: [MeasuredSegmentation], _ remarks: [String]
  ) -> String {
    var hash = SHA256()
    for segmentation in segmentations {
      hash.update(data: Data("\n\(segmentation.identifiers.sopInstanceUID)".utf8))
      for segment in segmentation.segments {
        let measured = segment.measurement
        let numbers =
          [measured.millilitres, measured.mean, measured.standardDeviation] + measured.axes
        hash.update(data: Data(numbers.map { "\\\(ReportNumber.text($0))" }.joined().utf8))
      }
    }
    for remark in remarks { hash.update(data: Data("\n\(remark)".utf8)) }
    return hexadecimal(hash.finalize())
  }

  /// Writes the report; it is never ``WriteOutcome/nothingFound``.
  ///
  /// - Throws: ``SegmentationError``.
  public func write(to path: String) throws(SegmentationError) -> WriteOutcome {
    guard let first = stacks.first, !first.frames.isEmpty else {
      throw .gridsDiffer(reason: "a report without images")
    }
    let source = try SourceImages(first)
    let dataset: Dataset
    do throws(UncopiedAttribute) {
      dataset = try MeasurementReportBuilder(self, source: source.header).header()
    } catch { throw .uncopied(error) }
    do throws(DICOMError) {
      var whole = dataset
      let content = MeasurementReportBuilder(self, source: source.header).content()
      for (tag, element) in try content.dataset().elements
      where MeasurementReportBuilder.ofContent.contains(tag) {
        whole[tag] = element
      }
      try whole.write(to: path)
    } catch { throw .dicom(error) }
    return .written
  }

  /// Proves the identity, the references and each number; see ``MeasurementReportProof``.
  ///
  /// - Throws: ``ProofError``.
  public func prove(_ path: String) throws(ProofError) {
    try MeasurementReportProof(self, path: path).prove()
  }
}

extension SegmentationObject {
  /// What was measured in the segments of the object; the source's pixels are read again.
  ///
  /// - Parameter path: of the file that the object was written to.
  /// - Throws: ``SegmentationError``.
  public func measured(at path: String) throws(SegmentationError) -> MeasuredSegmentation {
    let numbered = try SegmentFrames(
      labels, segments: segments, held: held, options: options, form: form
    ).segments
    let measurements: [RegionMeasurement?]
    do { measurements = try stack.measurements(of: numbered, in: labels) } catch {
      throw .dicom(error)
    }
    return MeasuredSegmentation(
      path: path, identifiers: identifiers, stack: stack,
      segments: zip(numbered, measurements).compactMap { segment, measurement in
        measurement.map { MeasuredSegment(segment, $0) }
      },
      subject: origin.subject)
  }
}

/// How numbers are written in a report.
enum ReportNumber {
  /// With six significant digits, which is more than is meant; 16 characters at most (PS3.5 6.2, DS).
  static func text(_ number: Double) -> String {
    let text = String(format: "%.6g", number)
    return text == "-0" ? "0" : text
  }
}
