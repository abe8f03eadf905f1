import Foundation
import TestSupport
import Testing

@testable import Segmentation

/// What a bundle says of its channels and of cine series.
@Suite struct ModelInputsTests {
  private func bundle(_ addition: String, inputChannels: Int = 1) throws -> ModelBundle {
    let folder = TestFiles.fixtures.appendingPathComponent("models/untrained-tiny")
    var text = try String(
      contentsOf: folder.appendingPathComponent("model.yaml"), encoding: .utf8)
    if inputChannels > 1 {
      text = text.replacingOccurrences(
        of: "inputChannels: 1", with: "inputChannels: \(inputChannels)")
      let scheme = "    - {scheme: ct, lower: -958, upper: 326, mean: 82.95177, sd: 136.94818}\n"
      text = text.replacingOccurrences(
        of: scheme, with: String(repeating: scheme, count: inputChannels))
    }
    return try ModelBundle(yaml: text + addition, file: "model.yaml", directory: folder)
  }

  @Test func channelsAreReadInTheirOrder() throws {
    let channels = try bundle(
      """
      channels:
        - {name: t1, require: {modality: MR, contrast: false}}
        - {name: t1ce, reference: true, require: {modality: MR, contrast: true}}
      """, inputChannels: 2
    ).channels
    #expect(channels.map(\.name) == ["t1", "t1ce"])
    #expect(channels.map(\.isReference) == [false, true])
    let first = try bundle(
      "channels: [{name: a}, {name: b}]", inputChannels: 2
    ).channels
    #expect(first.map(\.isReference) == [true, false])
  }

  @Test(arguments: [
    ("channels: [{name: a}]", "one entry for each of 2 channels"),
    ("channels: [{name: a}, {name: a}]", "gives a name to two channels"),
    (
      "channels: [{name: a, reference: true}, {name: b, reference: true}]",
      "more than one reference"
    ),
    ("channels:\n- {name: a}\n- name: b\n  require:\n    mood: good", "channels[1].require.mood"),
    ("channels: [{name: a}, {title: b}]", "the key channels[1].title is unknown"),
    ("channels: [{name: a}, {reference: true}]", "the key channels[1].name is missing"),
    ("channels: [{name: a}, {name: b, minimumScore: 3}]", "channels[1].minimumScore"),
  ])
  func faultsOfChannelsAreNamed(_ addition: String, _ message: String) throws {
    do {
      _ = try bundle(addition, inputChannels: 2)
      Issue.record("\(addition) was taken")
    } catch {
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  /// The line is that of the key, and not of the channel that it is in.
  @Test func unknownKeyOfAChannelIsNamedWithItsLine() throws {
    let addition = "channels:\n- name: a\n  require:\n    modality: MR\n    mood: good\n"
    let text = try String(
      contentsOf: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny/model.yaml"),
      encoding: .utf8)
    let line = text.split(separator: "\n", omittingEmptySubsequences: false).count + 4
    #expect(
      throws: ModelBundleError.unknownKey(
        path: "model.yaml", key: "channels[0].require.mood", line: line)
    ) { try bundle(addition) }
  }

  @Test(arguments: [
    ("all", PhaseChoice.all), ("ed-es", .extremes), ("[1, 9]", .list([1, 9])), ("7", .list([7])),
  ])
  func phasesAreRead(_ text: String, _ choice: PhaseChoice) throws {
    let cine = try bundle("cine: {phases: \(text), cavities: [3, 1]}").cine
    #expect(cine == CineRule(phases: choice, cavities: [3, 1]))
  }

  @Test func massAndEjectionFractionAreRead() throws {
    let cine = try bundle(
      "cine: {phases: ed-es, cavities: [3], myocardium: 2, "
        + "ejectionFraction: {usual: [0.1, 0.8], accepted: [0.03, 0.95]}}"
    ).cine
    #expect(
      cine
        == CineRule(
          phases: .extremes, cavities: [3], myocardium: 2,
          ejectionFraction: EjectionFractionLimit(usual: [0.1, 0.8], accepted: [0.03, 0.95])))
  }

  @Test(arguments: [
    "cine: {phases: all, cavities: [3], myocardium: 9}",
    "cine: {phases: all, cavities: [3], ejectionFraction: {usual: [0.1, 0.8]}}",
    "cine: {phases: all, cavities: [3], ejectionFraction: {usual: [0.1, 0.8], accepted: [0.2, 1]}}",
    "cine: {phases: all, cavities: [3], ejectionFraction: {usual: [10, 80], accepted: [3, 95]}}",
    "cine: {phases: some, cavities: [3]}", "cine: {phases: [1, 1], cavities: [3]}",
    "cine: {phases: [0], cavities: [3]}", "cine: {phases: all, cavities: []}",
    "cine: {phases: all, cavities: [9]}", "cine: {phases: all}",
  ])
  func faultsOfCineRulesAreRefused(_ addition: String) {
    #expect(throws: ModelBundleError.self) { try bundle(addition) }
  }
}
