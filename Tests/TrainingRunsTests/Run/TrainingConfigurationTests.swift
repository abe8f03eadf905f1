import Foundation
import StrictYAML
import TestSupport
import Testing
import Training

@testable import TrainingRuns

@Suite struct TrainingConfigurationTests {
  private let folder: TemporaryFolder
  private let least = """
    output: run
    data: [cases]
    split: {folds: 3}
    model: {name: any}
    steps: 10
    """

  init() throws { folder = try TemporaryFolder() }

  private func load(_ text: String) throws -> TrainingConfiguration {
    let file = folder.url.appendingPathComponent("train.yaml")
    try text.write(to: file, atomically: true, encoding: .utf8)
    return try TrainingConfiguration.load(file.path)
  }

  @Test func theCommittedExampleLoads() throws {
    let example = try TrainingConfiguration.load(
      TestFiles.package.appendingPathComponent("Config/train.yaml").path)
    #expect(example.options.steps == 20_000)
    #expect(example.options.schedule.hold == 0.7)
    #expect(example.split.byPatient)
    #expect(example.data[0].images.hasSuffix("/data/heart"))
  }

  @Test func pathsAreTakenFromTheFolderOfTheFile() throws {
    let found = try load(
      least.replacing("[cases]", with: "[cases, {images: /a/images, labels: ../labels}]"))
    let root = folder.url.standardizedFileURL
    #expect(found.output == root.appendingPathComponent("run").path)
    #expect(found.data[0] == DataSource(folder: root.appendingPathComponent("cases").path))
    #expect(
      found.data[1]
        == DataSource(
          images: "/a/images",
          labels: root.deletingLastPathComponent().appendingPathComponent("labels").path))
  }

  @Test func theMethodDecidesItsDefaults() throws {
    let sgd = try load(least + "\noptimiser: {method: sgd}").options.optimiser
    #expect(sgd.rule == .sgd(momentum: 0.99, decay: 3e-5))
    #expect(sgd.rate == 1e-2)
    #expect(try load(least).options.optimiser.rule == .adamW(decay: 1e-2))
  }

  @Test(arguments: [
    ("steps: 10", "steps: 0", 5, "steps"), ("steps: 10", "step: 10", 5, "step"),
    ("steps: 10", "steps: many", 5, "steps"),
    ("steps: 10", "steps: 10\noptimiser: {rates: 1}", 6, "rates"),
    ("steps: 10", "steps: 10\noptimiser: {method: adam}", 6, "adamW, sgd"),
    ("steps: 10", "steps: 10\naverage: 1", 6, "average"),
    ("steps: 10", "steps: 10\nseed: -1", 6, "seed"),
    ("steps: 10", "steps: 10\nvalidation: {everySteps: 0}", 6, "validation.everySteps"),
    ("steps: 10", "steps: 10\nweights: {precision: double}", 6, "half, single"),
    ("steps: 10", "steps: 10\naugmentation: {mirror: [1, 2, 0]}", 6, "augmentation.mirror"),
    ("steps: 10", "steps: 10\naugmentation: {blur: {probability: 1}}", 6, "sigma"),
    ("steps: 10", "steps: 10\naugmentation: {blur: {probability: 1, sigma: [2, 1]}}", 6, "sigma"),
    ("steps: 10", "steps: 10\naugmentation: {noise: {probability: 2}}", 6, "probability"),
    ("steps: 10", "steps: 10\naugmentation: {noises: off}", 6, "noises"),
    ("steps: 10", "steps: 10\naugmentation: {gamma: {strength: 1}}", 6, "strength"),
    ("steps: 10", "steps: 10\noptimiser: {rate: 0}", 6, "0.0 is not above 0"),
    ("steps: 10", "steps: 10\noptimiser: {rate: -1}", 6, "optimiser.rate"),
    ("steps: 10", "steps: 10\noptimiser: {decay: -0.1}", 6, "optimiser.decay"),
    ("steps: 10", "steps: 10\nbatch: 0", 6, "batch"),
    ("steps: 10", "steps: 10\ndropout: 1.5", 6, "dropout"),
    ("steps: 10", "steps: 10\nweights: {choice: best}", 6, "validation.everySteps is 500"),
    ("output: run", "output: ''", 1, "output"), ("[cases]", "['']", 2, "is empty"),
    ("[cases]", "[{images: '', labels: a}]", 2, "images"),
    ("folds: 3", "file: ''", 3, "split.file"),
    ("[cases]", "[]", 2, "data"), ("folds: 3", "folds: 1", 3, "split.folds"),
    ("folds: 3", "folds: 3, fold: 3", 3, "split.fold"),
    ("folds: 3", "folds: 3, file: a.json", 3, "split.file"),
  ])
  func faultsNameLineAndKey(_ old: String, _ new: String, _ line: Int, _ expected: String) throws {
    #expect {
      try load(least.replacing(old, with: new))
    } throws: { error in
      guard case .invalid(_, line, let message) = error as? YAMLFileError else { return false }
      return message.contains(expected)
    }
  }

  @Test func augmentationChangesWhatIsStatedAndNothingElse() throws {
    let usual = AugmentationOptions.nnUNet(isAnisotropic: true)
    #expect(try load(least).augmentation.options(isAnisotropic: true) == usual)
    var expected = usual
    expected.mirror = [0, 0, 0.5]
    expected.gamma = nil
    expected.foreground = 0.75
    expected.scaling = Scaling(probability: 0.5, factor: 0.8...1.25)
    let stated = """

      augmentation:
        mirror: [0, 0, 0.5]
        gamma: off
        foreground: 0.75
        scaling: {probability: 0.5, factor: [0.8, 1.25]}
      """
    #expect(try load(least + stated).augmentation.options(isAnisotropic: true) == expected)
    let none = try load(least + "\naugmentation: {base: none}").augmentation
    #expect(none.options(isAnisotropic: true) == AugmentationOptions())
  }

  @Test func settingsDifferByTheFirstKeyThatDecidesNumbers() throws {
    func settings(_ text: String, _ more: [String: String] = [:]) throws -> RunSettings {
      try RunSettings(
        try load(text).options,
        augmentation: try load(text).augmentation.options(isAnisotropic: false), more: more)
    }
    let first = try settings(least)
    #expect(try RunSettings(json: first.json()) == first)
    #expect(first.difference(from: first) == nil)
    let often = try settings(least + "\ncheckpointSeconds: 1\nthreads: 7")
    #expect(first.difference(from: often) == nil)
    let other = try settings(least + "\noptimiser: {rate: 0.5}\nseed: 9")
    let difference = try #require(other.difference(from: first))
    #expect(difference.key == "optimiser.rate")
    #expect(difference.own == "0.5")
    #expect(difference.other == "0.001")
    let rotation = try settings(
      least + "\naugmentation: {rotation: {probability: 0.9, degrees: 5}, gamma: off}")
    let changed = try #require(rotation.difference(from: first))
    #expect(changed.key == "augmentation.gamma")
    #expect(changed.own == "off")
    #expect(rotation.values["augmentation.rotation.degrees"] == "5.0")
    let model = try settings(least, ["model.name": "other"])
    #expect(model.difference(from: first)?.key == "model.name")
  }
}
