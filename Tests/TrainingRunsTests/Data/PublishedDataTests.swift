import Evaluation
import Foundation
import Segmentation
import Terminology
import TestSupport
import Testing

@testable import TrainingRuns

/// ACDC as published, where it is: see `Scripts/train/README.md`.
struct PublishedDataTests {
  private static let folder = TestFiles.shared?.appendingPathComponent("cardiac")
  private static let isHere =
    folder.map { FileManager.default.fileExists(atPath: $0.path) } ?? false

  @Test(.enabled(if: isHere, "the folder ../shared/cardiac is not here"))
  func volumesOfLabelsStayWhatTheOwnerMeasured() throws {
    let folder = try #require(Self.folder)
    let names = ["patient001_frame01", "patient080_frame01"]
    let files = try CaseFiles.match(images: folder, labels: folder, names: names)
    let labels = zip(1...3, ["RV", "Myocardium", "LV"]).map { value, name in
      SegmentDescription(
        value: UInt8(value), name: name,
        category: CodedConcept(value: "91723000", scheme: "SCT", meaning: "Anatomical Structure"),
        type: CodedConcept(value: "80891009", scheme: "SCT", meaning: "Heart"), color: [9, 9, 9])
    }
    let cases = try PreparedCases(
      files, reader: CaseReader(channels: 1, labels: labels),
      preprocessing: Preprocessing(
        orientation: [], spacing: [5, 1.4, 1.4], cropToNonzero: true,
        normalization: [.zscore(insideMask: false)]), memoryBytes: 1 << 30, threads: 2)
    #expect(cases.presentLabels == [1, 2, 3])
    let table = try String(contentsOf: folder.appendingPathComponent("cases.csv"), encoding: .utf8)
    let rows = table.split(whereSeparator: \.isNewline).map {
      $0.split(separator: ",").map(String.init)
    }
    let columns = ["rv_ml", "myo_ml", "lv_ml"].map { rows[0].firstIndex(of: $0) }
    for (index, name) in names.enumerated() {
      let volume = try cases.volume(index)
      let row = try #require(rows.first { $0.contains(name) })
      let slices = try #require(volume.slicesPerPlane)
      for (label, column) in zip(UInt8(1)...3, columns) {
        let known = try #require(column.flatMap { Double(row[$0]) })
        let voxels = volume.labels.count { $0 == label }
        let millilitres = Double(voxels) * (5 / slices) * 1.4 * 1.4 / 1000
        #expect(abs(millilitres - known) < 0.02 * known, "\(name), label \(label)")
      }
    }
  }
}
