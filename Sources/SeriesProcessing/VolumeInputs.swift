import DICOM
import Foundation
import GeometryGate
import NIfTI
import Segmentation
import SeriesReading
import Volumes

/// Why files do not form the channels of one input.
public enum VolumeInputError: Error, Sendable, Equatable, CustomStringConvertible {
  case noImages(path: String)
  case severalSeries(path: String, count: Int)
  /// The geometry gate holds the series.
  case held(path: String, reasons: [String])

  public var description: String {
    switch self {
    case .noImages(let path): "\(path): holds no CT, MR or PET image"
    case .severalSeries(let path, let count):
      "\(path): holds \(count) series, one was expected"
    case .held(let path, let reasons): "\(path): \(reasons.joined(separator: "; "))"
    }
  }
}

/// The channels of a model's input, read from files.
public enum VolumeInputs {
  /// Reads NIfTI files, one for each channel or one with a fourth dimension, or the one series of
  /// a DICOM file or folder, assessed as by the daemon.
  ///
  /// - Parameters:
  ///   - files: NIfTI files, or a DICOM file or folder.
  ///   - model: whose modalities and body parts are demanded of a DICOM series.
  ///   - geometry: the rules by which a DICOM series is assessed.
  /// - Throws: ``VolumeInputError``, `NIfTIError`, `DICOMError` or `InputRefusal`.
  public static func read(_ files: [URL], for model: ModelBundle, geometry: GeometryRules) throws
    -> [Volume]
  {
    try read(files, limits: model.input, geometry: geometry, keepsNonFinite: false) {
      try model.checkDemands(on: $0)
    }
  }

  /// The same for a model in the making.
  ///
  /// - Parameters:
  ///   - files: as above.
  ///   - limits: whose modalities and body parts are demanded of a DICOM series; nil takes any.
  ///   - geometry: as above.
  ///   - keepsNonFinite: whether voxels of NIfTI files that are not numbers stay so; else they are 0.
  public static func read(
    _ files: [URL], limits: InputLimits?, geometry: GeometryRules, keepsNonFinite: Bool = false
  ) throws -> [Volume] {
    try read(files, limits: limits, geometry: geometry, keepsNonFinite: keepsNonFinite) { _ in }
  }

  /// - Parameter check: throws `HeldSeries` where a DICOM series is not what the model demands.
  private static func read(
    _ files: [URL], limits: InputLimits?, geometry: GeometryRules, keepsNonFinite: Bool,
    check: (SourceSeries) throws -> Void
  ) throws -> [Volume] {
    guard let first = files.first, !NIfTIFile.isNamed(first.path) else {
      return try files.flatMap {
        try NIfTIFile(path: $0.path).volumes(keepsNonFinite: keepsNonFinite)
      }
    }
    let scan = try InputScan([first.path])
    guard let series = scan.series.first else {
      throw VolumeInputError.noImages(path: first.path)
    }
    guard scan.series.count == 1 else {
      throw VolumeInputError.severalSeries(path: first.path, count: scan.series.count)
    }
    do {
      let source = try SourceSeries(series, geometry: geometry)
      try check(source)
      let stack = try source.onlyVolume()
      try limits?.check(
        modality: stack.frames.first?.modality ?? "", bodyPart: source.bodyPart)
      return [try UprightVolume(stack, geometry: geometry).read()]
    } catch let problem as HeldSeries {
      throw VolumeInputError.held(path: first.path, reasons: problem.reasons)
    }
  }
}
