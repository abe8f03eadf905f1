import DICOM
import Foundation
import GeometryGate
import SeriesSelection
import Volumes

/// The files of a series, or of several that are one stack, read and assessed by the geometry gate.
///
/// ```swift
/// let source = try SourceSeries(
///   SeriesFiles(seriesInstanceUID: uid, files: files), geometry: GeometryRules())
/// if source.assessment.verdict == .held { print(source.assessment.reasons) }
/// let volume = try SourceSeries.pixels(of: source.onlyVolume())
/// ```
public struct SourceSeries: Sendable {
  /// Of the series by which the stack goes where there are several.
  public var seriesInstanceUID: String { files.seriesInstanceUID }
  /// What was read.
  public let files: SeriesFiles
  public private(set) var assessment: SeriesAssessment
  /// The series of which this is made, in the order of their slices; empty for a series by itself.
  public private(set) var stackMembers: [String] = []
  /// Body Part Examined (0018,0015) of the first image that states one.
  public let bodyPart: String?
  /// Every image that could be read, also those that are in no volume.
  let frames: [ImageFrame]
  /// What the top of each file says to rules, by its path.
  let headers: [String: HeaderFacts]
  /// Earlier versions of some images.
  let replaced: [ImageFrame]
  /// Files that could not be read.
  let unreadable: [GeometryFinding]

  /// Reads the header of every file; pixels only of images that came twice.
  ///
  /// What is wrong with an image is a finding of the assessment.
  ///
  /// - Parameters:
  ///   - series: the files of one series.
  ///   - geometry: the rules of the geometry gate.
  ///   - expectedInstances: how many instances the series has by another source.
  /// - Throws: `DICOMError` only where our own disk or installation is at fault.
  public init(_ series: SeriesFiles, geometry: GeometryRules, expectedInstances: Int? = nil) throws
  {
    guard series.stackedWith.isEmpty else {
      self = try Self(stackOf: series, geometry: geometry)
      return
    }
    files = series
    var frames: [ImageFrame] = []
    var unreadable: [GeometryFinding] = []
    var bodyPart: String?
    var headers: [String: HeaderFacts] = [:]
    for url in series.files {
      do throws(DICOMError) {
        let file = try DICOMFile(path: url.path)
        // No result could refer to an image without UIDs.
        _ = try file.identity()
        frames += try file.imageFrames()
        headers[url.path] = HeaderFacts(file.dataset)
        bodyPart = bodyPart ?? file.dataset.text(.bodyPartExamined)
      } catch {
        guard error.isFileFault else { throw error }
        unreadable.append(GeometryFinding(.unreadable, error.description))
      }
    }
    self.bodyPart = bodyPart
    self.frames = frames
    self.headers = headers
    var replaced: [ImageFrame] = []
    for url in series.replaced {
      do throws(DICOMError) {
        replaced += try DICOMFile(path: url.path).imageFrames()
      } catch {
        guard error.isFileFault else { throw error }
        unreadable.append(GeometryFinding(.unreadable, error.description))
      }
    }
    self.replaced = replaced
    self.unreadable = unreadable
    let digests = PixelDigests()
    let assessed = assess(
      frames: frames, replacing: replaced, rules: geometry, expectedInstances: expectedInstances,
      pixelHash: digests.digest)
    if let fault = digests.fault { throw fault }
    assessment = assessed.held(because: unreadable)
  }

  /// A series put together of others.
  init(
    files: SeriesFiles, assessment: SeriesAssessment, stackMembers: [String],
    bodyPart: String?, frames: [ImageFrame], headers: [String: HeaderFacts],
    replaced: [ImageFrame], unreadable: [GeometryFinding]
  ) {
    self.files = files
    self.assessment = assessment
    self.stackMembers = stackMembers
    self.bodyPart = bodyPart
    self.frames = frames
    self.headers = headers
    self.replaced = replaced
    self.unreadable = unreadable
  }

  /// Whether any image could be read.
  public var hasImages: Bool { !frames.isEmpty }

  /// What rules ask about the series as a whole; nil where none of its images could be read.
  public var facts: SeriesFacts? {
    guard !frames.isEmpty else { return nil }
    var facts = facts(of: frames)
    facts.volumes = zip(1..., assessment.usableStacks).map { number, stack in
      VolumeFacts(number: number, name: stack.name, facts: self.facts(of: stack.frames))
    }
    return facts
  }

  private func facts(of frames: [ImageFrame]) -> SeriesFacts {
    SeriesFacts(seriesInstanceUID: seriesInstanceUID, frames: frames, headers: headers)
  }

  /// The latest date and time that any of the images states; nil where none states a date.
  public var latestMoment: StatedMoment? { headers.values.compactMap(\.moment).max() }

  /// Of the first image; empty where it has none.
  public var studyInstanceUID: String { frames.first?.studyInstanceUID ?? "" }
  /// Of the first image; empty where it has none.
  public var frameOfReferenceUID: String { frames.first?.frameOfReferenceUID ?? "" }

  /// What a report or the ledger keeps of the assessment.
  public var summary: AssessmentSummary { AssessmentSummary(seriesInstanceUID, assessment) }

  /// The same series held for one more reason.
  public func held(because finding: GeometryFinding) -> SourceSeries {
    var source = self
    source.assessment = assessment.held(because: [finding])
    return source
  }

  /// The voxels of a volume in modality units.
  ///
  /// - Throws: `DICOMError`, or `GeometryFinding` where the values cannot be what they say.
  public static func pixels(of stack: SliceStack) throws -> Volume {
    let files = files(of: stack)
    let volume = try PixelReader.read(stack) { files[$0] }
    if stack.frames.first?.modality == "CT", let finding = hounsfieldFinding(volume) {
      throw finding
    }
    return volume
  }

  /// Decodes every voxel of a volume and keeps few, so that a series of thousands of slices needs no
  /// more memory than some of them.
  ///
  /// - Throws: as ``pixels(of:)``.
  public static func checkPixels(of stack: SliceStack) throws {
    let files = files(of: stack)
    let isClassic = stack.frames.allSatisfy { $0.frameNumber == nil && $0.mosaicTile == nil }
    // The frames of one file are decoded together, for the file is read for each part.
    let count = isClassic ? 32 : max(stack.frames.count, 1)
    var sample: [Float] = []
    for start in stride(from: 0, to: stack.frames.count, by: count) {
      let frames = Array(stack.frames[start..<min(start + count, stack.frames.count)])
      var part = SliceStack(grid: stack.sourceGrid, frames: frames)
      part.grid.slices = frames.count
      let storage = try PixelReader.read(part) { files[$0] }.storage
      sample += stride(from: 0, to: storage.count, by: 17).map { storage[$0] }
    }
    guard stack.frames.first?.modality == "CT" else { return }
    var grid = stack.grid
    (grid.columns, grid.rows, grid.slices) = (sample.count, 1, 1)
    if let finding = hounsfieldFinding(Volume(grid: grid, voxels: sample), step: 1) {
      throw finding
    }
  }

  /// The file of each instance of a volume.
  public static func files(of stack: SliceStack) -> [String: String] {
    Dictionary(
      stack.frames.map { ($0.sopInstanceUID, $0.file) }, uniquingKeysWith: { first, _ in first })
  }
}
