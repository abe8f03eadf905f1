import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing

@testable import SeriesProcessing

/// A result that a person has to look at before it is sent.
@Suite struct SuspectResultTests {
  /// What is to be looked at stays, what would be sent besides does not.
  @Test func picturesAndSegmentationsStay() async throws {
    let folder = try TemporaryFolder()
    let series = try CineSeries(triggerTimes: [0])
    var bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
    // No structure is as large as that.
    bundle.output = [OutputLimit(label: 1, millilitres: [1e6, 2e6], largestPart: 0)]
    var options = ResultOptions()
    options.holdsSuspect = true
    options.writesReport = true
    options.writesLabelMap = true
    options.captures = .both
    let processor = SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil),
      options: options)
    let input = ModelInput(series.files)
    let fingerprint = try processor.dependencies(of: input, model: bundle).fingerprint
    let outcome = try await processor.process(
      input, segmenter: try Segmenter(bundle: bundle, threads: 1),
      identity: ResultIdentity(fingerprint: fingerprint), output: folder.url
    ) { _ in }.outcome
    guard case .held(let reasons) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(!reasons.isEmpty && reasons.allSatisfy { $0.hasPrefix("suspect: ") }, "\(reasons)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    let objects = names.filter { $0.hasSuffix(".dcm") }
    #expect(!objects.isEmpty && objects.allSatisfy { $0.hasPrefix("segmentation") }, "\(objects)")
    #expect(names.contains { $0.hasSuffix(".png") })

    // A person has released it: the same segmentation, and what is sent besides.
    let held = try objects.map {
      try hexadecimalSHA256(ofFile: folder.url.appendingPathComponent($0))
    }
    let other = try TemporaryFolder()
    let released = try await processor.releasingResults.process(
      input, segmenter: try Segmenter(bundle: bundle, threads: 1),
      identity: ResultIdentity(fingerprint: fingerprint), output: other.url
    ) { _ in }.outcome
    guard case .segmented(let result) = released else {
      Issue.record("\(released)")
      return
    }
    #expect(result.objects.map(\.sha256).sorted() == held.sorted())
    #expect(!result.warnings.isEmpty && result.report != nil && !result.captures.isEmpty)
  }
}
