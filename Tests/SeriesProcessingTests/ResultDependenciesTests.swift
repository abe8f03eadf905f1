import DICOM
import Foundation
import GeometryGate
import Segmentation
import SeriesReading
import Tensors
import TestSupport
import Testing

@testable import SeriesProcessing

/// What a result depends on, and what it does not.
@Suite struct ResultDependenciesTests {
  private let series: CineSeries
  private let bundle: ModelBundle

  init() throws {
    series = try CineSeries(triggerTimes: [0, 100])
    bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
  }

  private func fingerprint(
    _ input: ModelInput? = nil, bundle: ModelBundle? = nil, geometry: GeometryRules = .init(),
    installation: String = "A", instructionSet: InstructionSet? = nil
  ) throws -> String {
    try ResultDependencies(
      input ?? ModelInput(series.files), bundle: bundle ?? self.bundle, geometry: geometry,
      installation: installation, instructionSet: instructionSet
    ).fingerprint
  }

  @Test func neitherPathsNorTheOrderOfFilesNorCopiesMatter() throws {
    let fingerprint = try fingerprint()
    #expect(fingerprint.count == 64)
    var files = series.files
    files.files.reverse()
    #expect(try self.fingerprint(ModelInput(files)) == fingerprint)
    let folder = try TemporaryFolder()
    var copies: [URL] = []
    for (index, file) in files.files.enumerated() {
      copies.append(folder.url.appendingPathComponent("\(index)"))
      try FileManager.default.copyItem(at: file, to: copies[index])
    }
    files.files = copies + [copies[0]]
    #expect(try self.fingerprint(ModelInput(files)) == fingerprint)
  }

  /// Only where it is asked for: results of before keep their UIDs.
  @Test func theInstructionSetThatIsAskedForMatters() throws {
    let sets: [InstructionSet?] = [nil, .avx512, .avx2, .portable]
    #expect(Set(try sets.map { try fingerprint(instructionSet: $0) }).count == 4)
  }

  /// The ledger knows the hashes of the files, and `run` reads them.
  @Test func knownHashesAreThoseOfTheFiles() throws {
    let urls = series.files.files
    let hashes = try urls.map { ($0, try datasetHash(of: $0).hash) }
    let known = SeriesFiles(
      seriesInstanceUID: series.files.seriesInstanceUID, files: urls,
      hashes: Dictionary(uniqueKeysWithValues: hashes))
    #expect(try fingerprint(ModelInput(known)) == fingerprint())
    try FileManager.default.removeItem(at: urls[0])
    #expect(try known.contentHashes().count == urls.count)
    #expect(throws: (any Error).self) { try fingerprint() }
  }

  @Test func whateverChangesAResultChangesIt() throws {
    var fingerprints = [try fingerprint()]
    fingerprints.append(try fingerprint(installation: "B"))
    var geometry = GeometryRules()
    geometry.resamplesUnevenSpacing = true
    fingerprints.append(try fingerprint(geometry: geometry))
    geometry.fillsGapsUpTo = 7.5
    fingerprints.append(try fingerprint(geometry: geometry))
    for change: (inout ModelBundle) -> Void in [
      { $0.weightsSHA256 = String(repeating: "1", count: 64) },
      { $0.documentSHA256 = String(repeating: "1", count: 64) },
      { $0.inference.throughPlane = .linear },
    ] {
      var other = bundle
      change(&other)
      fingerprints.append(try fingerprint(bundle: other))
    }
    for phases in [PhaseChoice.all, .extremes, .list([1]), .list([1, 2])] {
      fingerprints.append(try fingerprint(ModelInput(series.files, phases: phases)))
    }
    let channel = ModelInput(series.files, channels: [("T1", series.files)])
    fingerprints.append(try fingerprint(channel))
    // One value in the header of one image.
    let changed = try CineSeries(triggerTimes: [0, 100]) { image, phase, slice in
      if phase == 1, slice == 2 { image.set(.accessionNumber, .SH, "CORRECTED") }
    }
    fingerprints.append(try fingerprint(ModelInput(changed.files)))
    let fewer = SeriesFiles(
      seriesInstanceUID: series.files.seriesInstanceUID,
      files: Array(series.files.files.dropLast()))
    fingerprints.append(try fingerprint(ModelInput(fewer)))
    #expect(Set(fingerprints).count == fingerprints.count)
  }

  /// What the model does anyway is no other choice.
  @Test func aChoiceThatIsTheModelsOwnIsNone() throws {
    var cardiac = bundle
    cardiac.cine = CineRule(phases: .extremes, cavities: [1])
    let chosen = try fingerprint(ModelInput(series.files, phases: .extremes), bundle: cardiac)
    #expect(try chosen == fingerprint(bundle: cardiac))
  }

  /// The extremes of a mirrored heartbeat were looked for in mirrored labels before: only such results have other UIDs.
  @Test func theSearchForExtremesMattersWhereItIsAnother() throws {
    var cardiac = bundle
    cardiac.cine = CineRule(phases: .extremes, cavities: [1])
    #expect(try fingerprint(bundle: cardiac) == fingerprint())
    cardiac.inference.mirrorAxes = [1, 2]
    #expect(try fingerprint(bundle: cardiac) != fingerprint())
    cardiac.cine?.phases = .all
    #expect(try fingerprint(bundle: cardiac) == fingerprint())
    cardiac.cine = nil
    #expect(try fingerprint(bundle: cardiac) == fingerprint())
  }

  /// A result is dated by the latest image of its series, and never by a clock.
  @Test func theDateIsThatOfTheLatestImage() throws {
    let dated = try CineSeries(triggerTimes: [0, 100]) { image, phase, slice in
      image.set(.studyDate, .DA, "20260102")
      image.set(.contentDate, .DA, "20260102")
      image.set(.contentTime, .TM, "10\(phase)\(slice)00")
    }
    #expect(try dated.source.latestMoment == StatedMoment(date: "20260102", time: "101300"))
  }
}
