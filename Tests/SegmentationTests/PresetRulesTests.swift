import Foundation
import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// What the presets of published networks call usual of a result.
@Suite struct PresetRulesTests {
  /// Of each organ of the abdominal presets half the sides of a box in mm and its centre, in mm to the left, to the back
  /// and to the head of the middle of the body.
  private static let organs: [(label: UInt8, half: [Double], centre: [Double])] = [
    (1, [25, 35, 40], [100, 40, 30]), (2, [22, 27, 48], [-65, 50, -50]),
    (3, [22, 27, 48], [65, 50, -40]), (4, [12, 15, 25], [-50, -60, -20]),
    (5, [8, 8, 35], [10, 20, 115]), (6, [75, 60, 60], [-65, -20, 50]),
    (7, [30, 25, 45], [50, -50, 60]), (8, [10, 10, 110], [10, 50, 0]),
    (9, [11, 9, 110], [-20, 40, 0]), (10, [30, 6, 8], [0, 0, 15]),
    (11, [45, 12, 10], [15, -15, -15]), (12, [7, 7, 7], [-40, 45, 15]),
    (13, [7, 7, 7], [35, 45, 25]),
  ]

  /// The organs as boxes on a grid of 2 mm; where they meet the later ones are.
  ///
  /// - Parameter mirrored: left for right, as of images that were read the other way round.
  private func body(mirrored: Bool = false, upsideDown: Bool = false) -> LabelVolume {
    let (columns, rows, slices) = (160, 110, 160)
    let grid = VolumeGrid(
      columns: columns, rows: rows, slices: slices,
      affine: Affine(column: [2, 0, 0], row: [0, 2, 0], slice: [0, 0, 2], origin: [0, 0, 0]))
    var volume = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    func range(_ centre: Double, _ half: Double, _ count: Int) -> Range<Int> {
      let middle = Double(count) / 2 + centre / 2
      let first = Int((middle - half / 2).rounded())
      return max(0, first)..<min(count, Int((middle + half / 2).rounded()))
    }
    for organ in Self.organs {
      let side = mirrored ? -organ.centre[0] : organ.centre[0]
      let height = upsideDown ? -organ.centre[2] : organ.centre[2]
      for slice in range(height, organ.half[2], slices) {
        for row in range(organ.centre[1], organ.half[1], rows) {
          for column in range(side, organ.half[0], columns) {
            volume.labels[(slice * rows + row) * columns + column] = organ.label
          }
        }
      }
    }
    return volume
  }

  /// A bundle as it is imported.
  private func bundle(_ preset: ModelPreset) throws -> ModelBundle {
    let text = BundleText(
      name: preset.name, version: "1", preset: preset, inference: .init(step: 0.5, mirrorAxes: []),
      postprocessing: [], weightsFile: "w", weightsSHA256: String(repeating: "0", count: 64))
    return try ModelBundle(
      yaml: text.yaml, file: "model.yaml", directory: URL(fileURLWithPath: "/nowhere"))
  }

  private func warnings(_ bundle: ModelBundle, _ labels: LabelVolume) throws -> [ModelWarning] {
    try bundle.warnings(of: labels, largestParts: bundle.largestParts(of: labels))
  }

  /// Every preset has some, from a source that it names, and they are in the bundle's text.
  @Test(arguments: ModelPreset.all.map(\.name))
  func rulesAreWrittenWithTheBundle(_ name: String) throws {
    let preset = try #require(ModelPreset.named(name))
    #expect(!preset.output.isEmpty && !preset.rulesSource.isEmpty)
    let bundle = try bundle(preset)
    #expect(bundle.output == preset.output)
    #expect(bundle.relations == preset.relations)
    let values = preset.labels.map(\.value)
    #expect(preset.output.allSatisfy { values.contains($0.label) })
    #expect(
      preset.relations.allSatisfy { values.contains($0.label) && values.contains($0.other) })
  }

  @Test(arguments: [ModelPreset.synapse, .btcv])
  func anUsualAbdomenIsNotSuspect(_ preset: ModelPreset) throws {
    let found = try warnings(bundle(preset), body())
    #expect(found == [], "\(found)")
  }

  /// Left for right and head for feet: laterality and the order along the body's axis are not as they should be.
  @Test func aBodyTheWrongWayRoundIsSuspect() throws {
    let bundle = try bundle(.synapse)
    func misplaced(_ labels: LabelVolume) throws -> Set<String> {
      Set(
        try warnings(bundle, labels).compactMap { warning -> String? in
          guard case .misplaced(let name, let due, let other) = warning else { return nil }
          return "\(name) \(due) \(other)"
        })
    }
    let mirrored = try misplaced(body(mirrored: true))
    #expect(
      mirrored.isSuperset(of: [
        "Right kidney to the patient's right of Left kidney",
        "Liver to the patient's right of Spleen",
        "Inferior vena cava to the patient's right of Aorta",
        "Right adrenal gland to the patient's right of Left adrenal gland",
      ]), "\(mirrored)")
    #expect(!mirrored.contains { $0.contains("above") })
    let upsideDown = try misplaced(body(upsideDown: true))
    #expect(
      upsideDown.isSuperset(of: [
        "Right adrenal gland above Right kidney", "Left adrenal gland above Left kidney",
        "Liver above Right kidney", "Spleen above Left kidney",
      ]), "\(upsideDown)")
    #expect(!upsideDown.contains { $0.contains("right of") })
  }

  /// A liver of some millilitres, a kidney that is not there, one half as large as the other, and one that is ragged.
  @Test func sizesAndShapesThatAreNoOrgansAreSuspect() throws {
    let bundle = try bundle(.btcv)
    func found(_ change: (Int, UInt8) -> UInt8) throws -> [ModelWarning] {
      var labels = body()
      labels.labels = labels.labels.enumerated().map { change($0.offset, $0.element) }
      return try warnings(bundle, labels)
    }
    var left = 10_000
    let small = try found { _, label in
      guard label == 6 else { return label }
      left -= 1
      return left >= 0 ? 6 : 0
    }
    #expect(
      small.contains { if case .volume("Liver", _, _) = $0 { true } else { false } }, "\(small)")
    let withoutKidney = try found { _, label in label == 3 ? 0 : label }
    #expect(withoutKidney == [.notFound(name: "Left kidney")])
    // Who has had it removed is not unusual.
    let withoutGallbladder = try found { _, label in label == 4 ? 0 : label }
    #expect(withoutGallbladder == [])
    let half = try found { index, label in label == 3 && index / 160 % 3 > 0 ? 0 : label }
    #expect(
      half.contains { if case .dissimilar("Right kidney", _, _, _) = $0 { true } else { false } },
      "\(half)")
    #expect(
      half.contains { if case .scattered("Left kidney", _, _) = $0 { true } else { false } },
      "\(half)")
    // Every other column, joined by one row.
    let ragged = try found { index, label in
      label == 6 && index % 2 == 0 && index / 160 % 110 % 6 > 0 ? 0 : label
    }
    #expect(
      ragged.contains { if case .ragged("Liver", _, _) = $0 { true } else { false } }, "\(ragged)")
  }

  /// The heart's left ventricle is within the myocardium, and the right one on its right; a tumour may be absent.
  @Test func theHeartAndTumours() throws {
    let heart = try bundle(.acdc)
    #expect(heart.cine?.ejectionFraction == .init(usual: [0.08, 0.85], accepted: [0.03, 0.95]))
    let grid = VolumeGrid(
      columns: 60, rows: 40, slices: 10,
      affine: Affine(column: [2, 0, 0], row: [0, 2, 0], slice: [0, 0, 10], origin: [0, 0, 0]))
    /// A ring of myocardium around the left ventricle, and the right one beside it.
    func labels(rightOnTheRight: Bool, isClosed: Bool = true) -> LabelVolume {
      var volume = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
      for slice in 1..<9 {
        for row in 0..<40 {
          for column in 0..<60 {
            let (x, y) = (rightOnTheRight ? column : 59 - column, row - 20)
            let far = (x - 40) * (x - 40) + y * y
            var label: UInt8 = x > 8 && x < 24 && abs(y) < 10 ? 1 : 0
            if far < 225, isClosed || y < 0 { label = 2 }
            if far < 100 { label = 3 }
            volume.labels[(slice * 40 + row) * 60 + column] = label
          }
        }
      }
      return volume
    }
    #expect(try warnings(heart, labels(rightOnTheRight: true)) == [])
    let mirrored = try warnings(heart, labels(rightOnTheRight: false))
    #expect(mirrored.count == 1)
    #expect(
      mirrored == [
        .misplaced(
          name: "Right ventricle", due: "to the patient's right of", other: "Left ventricle")
      ])
    let open = try warnings(heart, labels(rightOnTheRight: true, isClosed: false))
    #expect(
      open.contains {
        if case .notEnclosed("Left ventricle", _, _, _) = $0 { true } else { false }
      }, "\(open)")
    let nothing = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    for preset in [ModelPreset.lung, .brats] {
      #expect(try warnings(bundle(preset), nothing) == [])
    }
    var scattered = nothing
    for voxel in stride(from: 0, to: 800, by: 8) { scattered.labels[voxel] = 1 }
    #expect(try warnings(bundle(.lung), scattered).count == 1)
  }

  /// Labels in another order, some of them unknown: the rules go with the organs' codes.
  @Test func rulesGoWithTheOrgans() throws {
    var preset = ModelPreset.synapse
    let list = ["left kidney", "something", "Right Kidney", "liver"].enumerated().map {
      LabelLexicon.label(UInt8($0.offset + 1), $0.element)
    }
    preset.takeRules(to: list)
    preset.labels = list
    #expect(preset.output.map(\.label) == [3, 1, 4])
    #expect(
      preset.relations == [
        LabelRelation(label: 3, other: 1, kind: .direction(.rightOf)),
        LabelRelation(label: 4, other: 3, kind: .direction(.above)),
        LabelRelation(label: 4, other: 3, kind: .direction(.inFrontOf)),
        LabelRelation(label: 3, other: 1, kind: .similar(ratio: 2)),
      ])
  }
}
