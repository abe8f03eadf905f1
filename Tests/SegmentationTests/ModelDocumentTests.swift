import Foundation
import TestSupport
import Testing
import UNETRPP
import Volumes

@testable import Segmentation

@Suite struct ModelDocumentTests {
  private let folder: TemporaryFolder
  private let network = NetworkDescription(
    blocks: .acdc, patch: [8, 32, 32], inputChannels: 1, classes: 2, stem: [1, 2, 2])
  private let sections = """
      name: "0123"
      version: "1.10"
      summary: 'A "made-up" one: nothing'
      intendedUse: research use only
      labels:
        - value: 1
          name: Ball
          category: {value: "91723000", scheme: SCT, meaning: Anatomical Structure}
          type: {value: "10200004", scheme: SCT, meaning: Liver}
          color: [1, 2, 3]
      input:
        modalities: [MR]
      licence: none
      trainingData: phantoms
    """

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String) throws -> String {
    let path = folder.url.appendingPathComponent("train.yaml").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private func document(_ sections: String) throws -> ModelDocument {
    try ModelDocument(file: write("steps: 5\nmodel:\n\(sections)\n"), key: "model")
  }

  private let limits = InputLimits(
    modalities: [], bodyParts: [], spacing: .init(min: [4, 1, 1], max: [6, 2, 2]),
    extent: .init(min: [20, 20, 20], max: [90, 90, 90]),
    intensity: [
      IntensityLimit(statistic: .zeroFraction, usual: [0, 0.25], accepted: [0, 0.5]),
      IntensityLimit(statistic: .patternCorrelation, usual: [0.5, 1], accepted: [0.25, 1]),
    ],
    pattern: IntensityPattern(shape: [1, 1, 2], mirrorAxes: [2], values: [-0.7, 0.7]))
  private let preprocessing = Preprocessing(
    orientation: [.superior, .anterior, .right], spacing: [5, 1.5, 1.5], cropToNonzero: false,
    normalization: [.ct(lower: -100, upper: 300, mean: 12.5, sd: 40, insideMask: true)])

  @Test func whatIsCompletedReadsBackTheSame() throws {
    var document = try document(sections)
    #expect(try document.labelCount() == 1)
    #expect(try document.network() == nil)
    try document.complete(network: network)
    try document.complete(preprocessing: preprocessing)
    try document.completeInference()
    let output = OutputLimit(
      label: 1, millilitres: [1.5, 20], largestPart: 0.875, parts: 2, compactness: 0.25)
    try document.complete(input: limits, output: [output])
    try document.set(weights: "weights.safetensors", sha256: String(repeating: "9", count: 64))
    var direct = try document.bundle(in: folder.url)
    let text = try document.text(heading: ["Written by a test"])
    #expect(text.hasPrefix("# Written by a test\n"))
    #expect(text.contains("  patch: [8, 32, 32]\n"))
    #expect(text.contains("  extent: {min: [20.0, 20.0, 20.0], max: [90.0, 90.0, 90.0]}\n"))
    let bundle = try ModelBundle(yaml: text, file: "model.yaml", directory: folder.url)
    direct.documentSHA256 = bundle.documentSHA256
    #expect(bundle == direct)
    // Texts that look like numbers stay texts, to the letter.
    #expect(bundle.name == "0123")
    #expect(bundle.version == "1.10")
    #expect(bundle.summary == "A \"made-up\" one: nothing")
    #expect(bundle.labels[0].category.value == "91723000")
    #expect(bundle.network == network)
    #expect(bundle.preprocessing == preprocessing)
    #expect(bundle.input.modalities == ["MR"])
    #expect(bundle.input.spacing == limits.spacing)
    #expect(bundle.input.intensity == limits.intensity)
    #expect(bundle.input.pattern == limits.pattern)
    #expect(bundle.output == [output])
    #expect(bundle.weightsSHA256 == String(repeating: "9", count: 64))
  }

  @Test func whatTheAuthorStatesIsKept() throws {
    let stated = [
      "modalities: [MR]", "spacing: {min: [1, 1, 1], max: [9, 9, 9]}",
      "intensity: [{statistic: skewness, usual: [0, 1], accepted: [-1, 2]}]",
    ].map { "    \($0)" }.joined(separator: "\n")
    var document = try document(
      sections.replacingOccurrences(of: "    modalities: [MR]", with: stated))
    try document.complete(network: network)
    try document.complete(preprocessing: preprocessing)
    try document.completeInference()
    try document.complete(input: limits)
    try document.set(weights: "w.safetensors")
    document.replace("version", by: "2.0.0")
    let bundle = try document.bundle(in: folder.url)
    #expect(bundle.input.spacing.max == [9, 9, 9])
    #expect(bundle.input.extent == limits.extent)
    #expect(bundle.input.intensity.map(\.statistic) == [.skewness])
    #expect(bundle.input.pattern == nil)
    #expect(bundle.version == "2.0.0")
  }

  @Test func faultsNameTheKeyAndTheLineOfTheFile() throws {
    #expect(throws: ModelBundleError.self) { try ModelDocument(file: "/nowhere.yaml") }
    let path = try write("steps: 5\n")
    #expect(throws: ModelBundleError.missingKey(path: path, key: "model", line: 1)) {
      try ModelDocument(file: path, key: "model")
    }
    var document = try document(sections.replacingOccurrences(of: "value: 1", with: "value: 7"))
    try document.complete(network: network)
    try document.complete(preprocessing: preprocessing)
    try document.completeInference()
    try document.complete(input: limits)
    try document.set(weights: "w.safetensors")
    #expect {
      try document.bundle(in: folder.url)
    } throws: { error in
      guard case .invalidValue(path, "model.labels[0].value", 8, _) = error as? ModelBundleError
      else { return false }
      return true
    }
  }

  @Test(arguments: ["untrained-tiny", "untrained-tiny-mr"])
  func aBundleReadAndWrittenIsTheSame(_ name: String) throws {
    let bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/\(name)"))
    let text = try ModelDocument(of: bundle).text()
    var written = try ModelBundle(yaml: text, file: "model.yaml", directory: bundle.directory)
    // Another text says the same.
    #expect(written.documentSHA256 != bundle.documentSHA256 && written.sha256 != bundle.sha256)
    written.documentSHA256 = bundle.documentSHA256
    #expect(written == bundle)
  }
}
