import Evaluation
import Foundation
import NIfTI
import Terminology
import TestSupport
import Volumes

@testable import TrainingRuns

/// A folder of made-up cases as NIfTI.
struct CaseFolderPhantom {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["images", "labels"] {
      try FileManager.default.createDirectory(
        at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
    }
  }

  static let labels = (1...2).map {
    SegmentDescription(
      value: UInt8($0), name: "Label \($0)",
      category: CodedConcept(value: "91723000", scheme: "SCT", meaning: "Anatomical Structure"),
      type: CodedConcept(value: "10200004", scheme: "SCT", meaning: "Liver"), color: [9, 9, 9])
  }

  var reader: CaseReader { CaseReader(channels: 1, labels: Self.labels) }

  func files() throws -> [CaseFiles] {
    try CaseFiles.match(images: folder.url, labels: folder.url, names: nil)
  }

  func image(_ name: String) -> URL {
    folder.url.appendingPathComponent("images/\(name).nii")
  }

  func label(_ name: String) -> URL {
    folder.url.appendingPathComponent("labels/\(name).nii")
  }

  static func grid(_ shape: [Int], _ spacing: [Double], origin: SIMD3<Double> = [1, 2, 3])
    -> VolumeGrid
  {
    VolumeGrid(
      columns: shape[2], rows: shape[1], slices: shape[0],
      affine: Affine(
        column: [spacing[2], 0, 0], row: [0, spacing[1], 0], slice: [0, 0, spacing[0]],
        origin: origin))
  }

  /// Two boxes of labels, brighter than a textured background; nothing is 0.
  func write(
    _ name: String, shape: [Int] = [6, 20, 24], spacing: [Double] = [10, 1.5, 1.5],
    seed: Int = 0, labels: Set<UInt8> = [1, 2]
  ) throws {
    var (values, known): ([Float], [UInt8]) = ([], [])
    for index in 0..<shape.reduce(1, *) {
      let (z, y, x) = (index / shape[2] / shape[1], index / shape[2] % shape[1], index % shape[2])
      let isInside = z > 0 && (5..<15).contains(y)
      let label: UInt8 =
        isInside && (4..<9).contains(x) ? 1 : isInside && (9..<14).contains(x) ? 2 : 0
      known.append(labels.contains(label) ? label : 0)
      values.append(
        100 + 80 * Float(label) + Float((index * 7919 + seed * 104_729) % 23))
    }
    let grid = Self.grid(shape, spacing)
    try Self.writeImage(values, grid, to: image(name))
    try NIfTIFile.write(LabelVolume(grid: grid, labels: known), to: label(name).path)
  }

  /// A float NIfTI-1 file with an sform.
  static func writeImage(_ values: [Float], _ grid: VolumeGrid, to url: URL) throws {
    var header = [UInt8](repeating: 0, count: 352)
    func put<Value>(_ value: Value, at offset: Int) {
      withUnsafeBytes(of: value) { header.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
    put(Int32(348), at: 0)
    for (index, count) in [3, grid.columns, grid.rows, grid.slices, 1, 1, 1, 1].enumerated() {
      put(Int16(count), at: 40 + 2 * index)
    }
    put(Int16(16), at: 70)  // float32
    put(Int16(32), at: 72)
    let spacing = [1] + grid.spacing.reversed()
    for (index, value) in spacing.enumerated() { put(Float(value), at: 76 + 4 * index) }
    put(Float(352), at: 108)
    put(Int16(1), at: 254)  // sform_code
    let affine = grid.affine
    for (row, sign) in [-1.0, -1, 1].enumerated() {
      for (column, vector) in [affine.column, affine.row, affine.slice, affine.origin].enumerated()
      {
        put(Float(sign * vector[row]), at: 280 + 16 * row + 4 * column)
      }
    }
    header.replaceSubrange(344..<348, with: Array("n+1\0".utf8))
    try (Data(header) + values.withUnsafeBytes { Data($0) }).write(to: url)
  }
}
