import Foundation
import TestSupport
import Testing
import Volumes

@testable import NIfTI

@Suite struct NIfTIWritingTests {
  private func numbered(_ grid: VolumeGrid) -> LabelVolume {
    LabelVolume(grid: grid, labels: (0..<grid.voxelCount).map { UInt8($0 % 5) })
  }

  @Test(arguments: ["a.nii", "a.nii.gz"]) func linksToFilesAreRead(_ name: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("a-name-of-some-length-\(name)")
    let grid = VolumeGrid(
      columns: 40, rows: 40, slices: 40,
      affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 1], origin: [0, 0, 0]))
    // More voxels than a file as short as the link could hold.
    let labels = LabelVolume(
      grid: grid, labels: (0..<64_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) })
    try NIfTIFile.write(labels, to: file.path)
    let link = folder.url.appendingPathComponent(name)
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    #expect(try NIfTIFile(path: link.path).labels() == NIfTIFile(path: file.path).labels())
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

  /// Slices of a tilted gantry: a sheared sform and no qform, as nibabel reads them.
  @Test func shearedGridsAreWrittenAsSformAlone() async throws {
    let folder = try TemporaryFolder()
    let grid = VolumeGrid(
      columns: 4, rows: 5, slices: 3,
      affine: Affine(
        column: [0.5, 0, 0], row: [0, 0.5, 0], slice: [0, 0.8, 2.4], origin: [-10, 20, 30]))
    let path = folder.url.appendingPathComponent("tilted.nii.gz").path
    try NIfTIFile.write(numbered(grid), to: path)
    // Whoever takes it for an image is told so.
    #expect(throws: NIfTIError.self) { try NIfTIFile(path: path) }
    #expect(try NIfTIFile(path: path, admitsShear: true).grid.isClose(to: grid, tolerance: 1e-4))
    let script = """
      import nibabel, numpy, sys
      image = nibabel.load(sys.argv[1])
      wanted = [[-.5, 0, 0, 10], [0, -.5, -.8, -20], [0, 0, 2.4, 30], [0, 0, 0, 1]]
      assert numpy.abs(image.affine - wanted).max() < 1e-5, image.affine
      assert image.header["qform_code"] == 0 and image.header["sform_code"] == 1
      values = numpy.asarray(image.dataobj).ravel(order="F")
      assert (values == numpy.arange(values.size) % 5).all()
      """
    let read = try await runProcess(testPython, ["-c", script, path])
    #expect(read.status == 0, "\(read.output)")
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
