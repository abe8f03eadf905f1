import Foundation
import TestSupport
import Testing
import Volumes

@testable import NIfTI

@Suite struct NIfTIWritingTests {
  private func numbered(_ grid: VolumeGrid) -> LabelVolume {
    LabelVolume(grid: grid, labels: (0..<grid.voxelCount).map { UInt8($0 % 5) })
  }

  /// Labels take over version, maps and codes of the file they belong to, as nibabel reads them.
  @Test func geometryOfTheSourceIsKeptToTheBit() async throws {
    let folder = try TemporaryFolder()
    let made = try await runProcess(testPython, [niftiScript, "write", folder.url.path])
    try #require(made.status == 0, "\(made.output)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      .filter {
        NIfTIFile.isNamed($0) && $0.hasPrefix("i2") || $0.hasPrefix("f8") && !$0.hasSuffix("64")
      }
    try #require(names.count == 8)
    for name in names {
      let source = try NIfTIFile(path: folder.url.appendingPathComponent(name).path)
      let output = folder.url.appendingPathComponent("labels-\(name).nii.gz").path
      try NIfTIFile.write(numbered(source.grid), to: output, geometryOf: source)
      let compared = try await runProcess(
        testPython, [niftiScript, "compare", output, source.path])
      #expect(compared.status == 0, "\(name): \(compared.output)")
      #expect(try NIfTIFile(path: output).grid == source.grid, "\(name)")
    }
  }

  @Test func gridsWithoutAFileAreWrittenWithBothMaps() async throws {
    let folder = try TemporaryFolder()
    // Oblique, left-handed, with sizes that single precision rounds.
    let grid = VolumeGrid(
      columns: 4, rows: 5, slices: 3,
      affine: Affine(
        column: [0.6 * 0.7, 0.8 * 0.7, 0], row: [-0.8 * 1.3, 0.6 * 1.3, 0], slice: [0, 0, -3.1],
        origin: [-101.7, 33.3, 812.9]))
    for suffix in ["nii", "nii.gz"] {
      let path = folder.url.appendingPathComponent("a.\(suffix)").path
      try NIfTIFile.write(numbered(grid), to: path)
      let file = try NIfTIFile(path: path)
      #expect(file.version == 1)
      #expect(file.grid.isClose(to: grid, tolerance: 1e-4))
      #expect(try file.labels().labels == numbered(grid).labels)
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.sorted() == ["a.nii", "a.nii.gz"], "nothing else is left behind")
  }

  @Test func whatCannotBeWrittenIsAnError() throws {
    let grid = VolumeGrid(
      columns: 1, rows: 1, slices: 1,
      affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 1], origin: [0, 0, 0]))
    #expect(throws: NIfTIError.self) {
      try NIfTIFile.write(numbered(grid), to: "/nowhere/a.nii")
    }
    #expect(throws: NIfTIError.self) { try NIfTIFile.write(numbered(grid), to: "/tmp/a.txt") }
  }
}
