import Foundation
import Testing
import Volumes

@testable import Segmentation

/// Image slices between the network's slices: copies of the nearest, or interpolated.
@Suite struct ThroughPlaneTests {
  /// A model at 3 x 1 x 1 mm whose classes follow the intensity.
  private func bundle(_ throughPlane: ThroughPlaneInterpolation) throws -> ModelBundle {
    var bundle = try untrainedBundle()
    bundle.network.patch = [8, 16, 16]
    bundle.network.classes = 2
    bundle.preprocessing = Preprocessing(
      orientation: [.superior, .posterior, .left], spacing: [3.2, 1, 1], cropToNonzero: false,
      normalization: [.ct(lower: 0, upper: 100, mean: 0, sd: 1)])
    bundle.inference = .init(step: 0.5, mirrorAxes: [], throughPlane: throughPlane)
    bundle.input.spacing = .init(min: [0, 0, 0], max: [99, 99, 99])
    bundle.input.extent = .init(min: [0, 0, 0], max: [9999, 9999, 9999])
    return bundle
  }

  /// A cone along z: every slice of the source differs from its neighbours.
  private func cone(slices: Int, step: Double) -> Volume {
    let grid = uprightGrid(shape: [slices, 40, 40], spacing: [step, 1, 1])
    let values = (0..<grid.voxelCount).map { index in
      let (z, y, x) = (index / 1600, index / 40 % 40, index % 40)
      let radius = 3 + 15 * (Double(z) + 0.5) / Double(slices)
      let distance = (pow(Double(y) - 19.5, 2) + pow(Double(x) - 19.5, 2)).squareRoot()
      return Int16((50 + 5 * (radius - distance)).rounded())
    }
    return Volume(grid: grid, storage: .int16(values.map { min(100, max(1, $0)) }))
  }

  /// The label is 1 where the intensity is above 50.
  private func classify(
    _ input: UnsafeBufferPointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>
  ) {
    for voxel in input.indices {
      logits[voxel] = 0
      logits[input.count + voxel] = (input[voxel] - 50) / 10
    }
  }

  private func segment(
    _ volume: Volume, _ throughPlane: ThroughPlaneInterpolation
  ) throws -> (labels: LabelVolume, notes: [ModelNote], warnings: [ModelWarning]) {
    let warnings = ModelWarnings()
    let labels = try segmentation(
      of: { [volume] }, bundle: bundle(throughPlane), warnings: warnings, progress: { _ in },
      forward: classify)
    return (labels, warnings.notes, warnings.all)
  }

  private func copies(_ labels: LabelVolume) -> Int {
    let slices = stride(from: 0, to: labels.labels.count, by: 1600).map {
      labels.labels[$0..<$0 + 1600]
    }
    return zip(slices, slices.dropFirst()).count { $0.elementsEqual($1) }
  }

  private func errors(_ labels: LabelVolume, _ volume: Volume) -> Int {
    zip(labels.labels, volume.voxels).count { ($0 == 1) != ($1 > 50) }
  }

  @Test func nearestSlicesAreCopiesAndTheNoteSaysSo() throws {
    let volume = cone(slices: 32, step: 1)
    let (labels, notes, warnings) = try segment(volume, .nearest)
    #expect(copies(labels) == 22)
    #expect(
      notes == [
        .throughPlane(.nearest, networkSpacing: 3.2, imageSpacing: 1, repeated: 22, slices: 32)
      ])
    #expect(notes[0].description.contains("22 of 32 repeat"))
    #expect(notes[0].description.contains("--through-plane linear"))
    #expect(warnings == [])
  }

  @Test func linearSlicesFollowTheImage() throws {
    let volume = cone(slices: 32, step: 1)
    let (nearest, linear) = (try segment(volume, .nearest), try segment(volume, .linear))
    // At either end the last slice of the network is all that there is.
    #expect(copies(linear.labels) <= 2)
    #expect(3 * errors(linear.labels, volume) < 2 * errors(nearest.labels, volume))
    #expect(linear.notes.map(\.description).first?.contains("interpolated linearly") == true)
  }

  /// Where no slice is repeated there is nothing to say, and nothing to choose.
  @Test(arguments: [3.2, 5])
  func slicesAsThickAsTheNetworksHaveNoNote(_ step: Double) throws {
    let volume = cone(slices: 10, step: step)
    #expect(try segment(volume, .nearest).notes == [])
    let isSame = try segment(volume, .nearest).labels == segment(volume, .linear).labels
    #expect(step == 3.2 ? isSame : true)
  }

  @Test func memoryOfBothPlanesIsForecast() throws {
    let grid = uprightGrid(shape: [32, 40, 40], spacing: [1, 1, 1])
    let predictions = try [ThroughPlaneInterpolation.nearest, .linear].map {
      try bundle($0).memoryForecast(of: grid, bytesPerVoxel: 2, threads: 1).prediction
    }
    #expect(predictions[1] - predictions[0] == 2 * 2 * 8 * 40 * 40)
  }

  /// Probabilities are written as they were predicted, but where the source's planes are another grid.
  @Test func memoryOfProbabilitiesIsForecast() throws {
    let grid = uprightGrid(shape: [32, 40, 40], spacing: [1, 1, 1])
    let bundle = try bundle(.nearest)
    func forecast(_ keeps: Bool, isResampled: Bool = false) throws -> MemoryForecast {
      try bundle.memoryForecast(
        of: grid, bytesPerVoxel: 2, threads: 1, keepsProbabilities: keeps, isResampled: isResampled)
    }
    let bytes = ProbabilityVolume.mostBytes(grid, classes: bundle.network.classes)
    let without = try forecast(false)
    #expect(try forecast(true).prediction - without.prediction == bytes)
    #expect(try forecast(true).writing - without.writing == bytes)
    #expect(try forecast(true, isResampled: true).writing - without.writing == 2 * bytes)
    #expect(try forecast(false, isResampled: true) == without)
  }
}
