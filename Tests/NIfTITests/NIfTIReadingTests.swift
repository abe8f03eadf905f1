import Foundation
import TestSupport
import Testing
import Volumes

@testable import NIfTI

let niftiScript = TestFiles.package
  .appendingPathComponent("Scripts/test-support/readers/nifti_files.py").path

/// Beside nibabel: every datatype, both versions, both byte orders, compressed and not.
@Suite struct NIfTIReadingTests {
  struct Listed: Decodable {
    var name: String
    var shape: [Int]
    var affine: [[Double]]
    var version: Int
    var kind: String
  }

  @Test func everyDatatypeReadsAsNibabelReadsIt() async throws {
    let folder = try TemporaryFolder()
    let run = try await runProcess(testPython, [niftiScript, "write", folder.url.path])
    try #require(run.status == 0, "\(run.output)")
    func path(_ name: String) -> URL { folder.url.appendingPathComponent(name) }
    let listed = try JSONDecoder().decode(
      [Listed].self, from: Data(contentsOf: path("files.json")))
    #expect(Set(listed.map(\.kind)).count == NIfTIDatatype.allCases.count)
    for item in listed {
      let file = try NIfTIFile(path: path(item.name).path)
      #expect(file.version == item.version)
      #expect(file.volumeCount == item.shape[3])
      #expect(
        [file.grid.columns, file.grid.rows, file.grid.slices] == Array(item.shape[..<3]),
        "\(item.name)")
      expectSameAffine(file.grid.affine, item)
      let expected = try Data(contentsOf: path(item.name + ".f64"))
      let voxels = try file.volumes().flatMap(\.voxels)
      try #require(voxels.count == expected.count / 8, "\(item.name)")
      let wrong = expected.withUnsafeBytes { raw in
        voxels.indices.filter {
          voxels[$0] != Float(raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self))
        }.count
      }
      #expect(wrong == 0, "\(item.name): of \(voxels.count) voxels")
    }
  }

  /// The sform's numbers are the file's own; a quaternion's are computed, so that the last bits
  /// may differ.
  private func expectSameAffine(_ affine: Affine, _ item: Listed) {
    let columns = [affine.column, affine.row, affine.slice, affine.origin]
    for (index, column) in columns.enumerated() {
      let ras = [-column.x, -column.y, column.z]
      for row in 0..<3 {
        #expect(
          abs(ras[row] - item.affine[row][index]) < 1e-6,
          "\(item.name): \(ras[row]), not \(item.affine[row][index])")
      }
    }
  }

  @Test(
    .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func realVolumesRead() throws {
    let folder = try #require(TestFiles.shared).appendingPathComponent("hippocampus")
    let name = "hippocampus_006.nii.gz"
    let image = try NIfTIFile(path: folder.appendingPathComponent("images/\(name)").path)
    let labels = try NIfTIFile(path: folder.appendingPathComponent("labels/\(name)").path).labels()
    #expect(labels.grid == image.grid)
    #expect(image.grid.spacing == [1, 1, 1])
    #expect(Set(labels.labels) == [0, 1, 2])
    #expect(image.grid.affine.column.x == -1, "stored towards the right, which is -x in DICOM")
  }
}
