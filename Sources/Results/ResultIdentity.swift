import Cryptography
import DICOM
import FileSystem
import Foundation
import Terminology
import Volumes

/// A series of results whose place a new one takes.
public struct ReplacedSeries: Sendable, Equatable, Codable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String

  public init(studyInstanceUID: String, seriesInstanceUID: String) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
  }

  /// Purpose of Reference (0040,A170) of the replaced series, in a coding scheme of ours (PS3.3 8.2).
  static let purpose = CodedConcept(
    value: "REPLACED", scheme: "99SEGMENTD", meaning: "Results that this series replaces")
}

/// What a result is, before it is made: all its UIDs follow from this, so that making it again gives the
/// same object.
///
/// ```swift
/// let identity = ResultIdentity(fingerprint: fingerprint, replaces: nil)
/// let first = identity.identifiers(object: 0, holding: labels, remarks: [])
/// ```
public struct ResultIdentity: Sendable, Equatable, Codable {
  /// SHA-256, as 64 hexadecimal digits, of everything that the result depends on: images, model and
  /// settings.
  public let fingerprint: String
  /// The earlier results of the same images, which the objects name; nil for the first ones.
  public let replaces: ReplacedSeries?

  public init(fingerprint: String, replaces: ReplacedSeries? = nil) {
    self.fingerprint = fingerprint
    self.replaces = replaces
  }

  public var seriesInstanceUID: String {
    let predecessor = replaces.map { "/\($0.studyInstanceUID)/\($0.seriesInstanceUID)" } ?? ""
    return DICOMUID.named("series/\(fingerprint)\(predecessor)")
  }

  /// UIDs of an object of the series.
  ///
  /// Arithmetic may differ in its last digits between kinds of processors, and with it a voxel. What the
  /// object holds is part of its SOP Instance UID: no two contents ever share one.
  ///
  /// - Parameters:
  ///   - index: of the object in its series, from 0.
  ///   - labels: what it shows.
  ///   - probabilities: what it shows besides.
  ///   - remarks: what it says of the labels.
  ///   - kind: of objects that have a series of their own; nil for segmentations.
  public func identifiers(
    object index: Int, holding labels: LabelVolume, probabilities: ProbabilityVolume? = nil,
    remarks: [String], kind: String? = nil
  ) -> ResultIdentifiers {
    var hash = SHA256()
    labels.labels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    if let probabilities {
      for index in 1..<max(1, probabilities.classes) {
        for slice in 0..<probabilities.grid.slices {
          let plane = probabilities[class: index, slice: slice]
          hash.update(data: Data("\n\(plane.count) values\n".utf8))
          plane.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
      }
    }
    for remark in remarks { hash.update(data: Data("\n\(remark)".utf8)) }
    let series = kind.map { DICOMUID.named("\(seriesInstanceUID)/\($0)") } ?? seriesInstanceUID
    return ResultIdentifiers(
      seriesInstanceUID: series,
      sopInstanceUID: DICOMUID.named("\(series)/\(index)/\(hexadecimal(hash.finalize()))"))
  }
}
