import DICOM
import Foundation
import GeometryGate
import Segmentation
import SeriesReading
import SeriesSelection
import TestSupport
import Testing
import Volumes

@testable import SeriesProcessing

/// What a model is shown, and how often it is read.
@Suite struct ModelInputTests {
  /// The series of a model with several channels are not read again for their job: here their files
  /// are gone by then.
  @Test func seriesOfChannelsAreReadOnce() throws {
    let study = ["t1", "t2"].enumerated()
    let series = try study.map { index, description in
      try CineSeries(triggerTimes: [0]) { image, _, slice in
        image.set(.seriesInstanceUID, .UI, "1.2.\(index + 3)")
        image.set(.sopInstanceUID, .UI, "1.2.\(index + 3).\(slice + 1)")
        image.set(.seriesDescription, .LO, description)
      }
    }
    defer { withExtendedLifetime(series) {} }
    let files = series.enumerated().map { index, series in
      SeriesFiles(seriesInstanceUID: "1.2.\(index + 3)", files: series.files.files)
    }
    var bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
    bundle.network.inputChannels = 2
    bundle.channels = ["t1", "t2"].map { name in
      ModelChannel(
        name: name,
        criteria: SeriesCriteria(
          required: [
            SeriesCriterion(.seriesDescription, .texts(include: [name], exclude: []))
          ]), isReference: name == "t2")
    }
    let inputs = try ModelInput.inputs(
      of: files, for: bundle, geometry: GeometryRules(), chosen: [:], phases: nil)
    #expect(inputs.map(\.series) == ["1.2.4"])
    let input = try #require(inputs.first).input.get()
    #expect(input.series.seriesInstanceUID == "1.2.4")
    #expect(input.channels.map(\.series.seriesInstanceUID) == ["1.2.3", "1.2.4"])

    for url in files.flatMap(\.files) { try FileManager.default.removeItem(at: url) }
    let processor = SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil))
    let (reference, channels) = try processor.sources(input)
    #expect(reference.seriesInstanceUID == "1.2.4")
    #expect(reference.assessment.verdict == .accepted)
    #expect(channels.map(\.name) == ["t1", "t2"])
    #expect(channels.map(\.source.seriesInstanceUID) == ["1.2.3", "1.2.4"])
    #expect(channels.allSatisfy { $0.source.assessment.usableStacks.count == 1 })
    // What was not read before is read now, and cannot be.
    let unread = ModelInput(files[0])
    #expect(throws: DICOMError.self) { try processor.sources(unread) }
  }

  /// Three series may be a stack and are read to find out, but not again for their jobs.
  @Test func seriesThatMayBeAStackAreReadOnce() throws {
    let series = try (3...5).map { number in
      try CineSeries(triggerTimes: [0]) { image, _, slice in
        image.set(.seriesInstanceUID, .UI, "1.2.\(number)")
        image.set(.sopInstanceUID, .UI, "1.2.\(number).\(slice + 1)")
      }
    }
    defer { withExtendedLifetime(series) {} }
    let files = zip(3..., series).map { number, series in
      SeriesFiles(seriesInstanceUID: "1.2.\(number)", files: series.files.files)
    }
    let bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
    let inputs = try ModelInput.inputs(
      of: files, for: bundle, geometry: GeometryRules(), chosen: [:], phases: .all)
    #expect(inputs.map(\.series) == ["1.2.3", "1.2.4", "1.2.5"])
    for url in files.flatMap(\.files) { try FileManager.default.removeItem(at: url) }
    let processor = SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil))
    for input in inputs {
      let (source, channels) = try processor.sources(try input.input.get())
      #expect(source.seriesInstanceUID == input.series && channels.isEmpty)
      #expect(source.assessment.verdict == .accepted)
      #expect(try input.input.get().phases == .all)
    }
  }
}
