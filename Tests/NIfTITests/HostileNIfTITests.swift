import Foundation
import TestSupport
import Testing
import Volumes

@testable import NIfTI

/// Headers with false values and files that end early.
@Suite struct HostileNIfTITests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  /// A small NIfTI-1 file, int16, 1 mm, sform.
  private func valid() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 352 + 2 * 24)
    set(&bytes, 0, Int32(348))
    for (index, value) in [3, 4, 3, 2, 1, 1, 1, 1].enumerated() {
      set(&bytes, 40 + 2 * index, Int16(value))
    }
    set(&bytes, 70, Int16(4))
    set(&bytes, 72, Int16(16))
    for axis in 0..<4 { set(&bytes, 76 + 4 * axis, Float(1)) }
    set(&bytes, 108, Float(352))
    set(&bytes, 112, Float(1))
    bytes[123] = 2
    set(&bytes, 254, Int16(1))
    for axis in 0..<3 { set(&bytes, 280 + 20 * axis, Float(1)) }
    bytes.replaceSubrange(344..<347, with: Array("n+1".utf8))
    return bytes
  }

  private func set<Value>(_ bytes: inout [UInt8], _ offset: Int, _ value: Value) {
    withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
  }

  private func write(_ bytes: [UInt8], _ name: String = "a.nii") throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  /// Writes the changed file and expects a refusal that names file and field.
  private func expectRefused(
    _ field: String, _ change: (inout [UInt8]) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var bytes = valid()
    change(&bytes)
    let file = try write(bytes)
    do {
      _ = try NIfTIFile(path: file).labels()
      Issue.record("was read", sourceLocation: sourceLocation)
    } catch {
      #expect(error.description.contains(file), sourceLocation: sourceLocation)
      #expect(
        error.description.contains(field), "\(error.description)", sourceLocation: sourceLocation)
    }
  }

  @Test func aValidFileIsRead() throws {
    let labels = try NIfTIFile(path: try write(valid())).labels()
    #expect(labels.grid.shape == [2, 3, 4])
    #expect(labels.grid.affine.column == [-1, 0, 0])
  }

  /// A value counts for what it says, or the file is refused by name.
  @Test func randomDamageIsSurvived() throws {
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<500 {
      let path = try write(damage.damaged(valid()))
      do throws(NIfTIError) {
        let file = try NIfTIFile(path: path)
        let volumes = try file.volumes()
        #expect(volumes.allSatisfy { $0.voxels.count == file.grid.voxelCount })
        read += 1
      } catch {
        #expect(error.description.contains(path))
      }
    }
    #expect(read > 0 && read < 500)
  }

  @Test func falseSizesAreRefused() throws {
    try expectRefused("dim[0]") { set(&$0, 40, Int16(8)) }
    try expectRefused("dim[1]") { set(&$0, 42, Int16(0)) }
    try expectRefused("dim[2]") { set(&$0, 44, Int16(-3)) }
    try expectRefused("dim[3]") { bytes in
      for axis in 1...3 { set(&bytes, 40 + 2 * axis, Int16.max) }
    }
    try expectRefused("promise") { set(&$0, 42, Int16(4000)) }
    try expectRefused("dim[5]") { bytes in
      set(&bytes, 40, Int16(5))
      set(&bytes, 50, Int16(2))
    }
    try expectRefused("bitpix") { set(&$0, 72, Int16(8)) }
    try expectRefused("vox_offset") { set(&$0, 108, Float.nan) }
    try expectRefused("vox_offset") { set(&$0, 108, Float(100)) }
    try expectRefused("vox_offset") { set(&$0, 108, Float(1e9)) }
    try expectRefused("promise") { set(&$0, 108, Float(400)) }
  }

  @Test func datatypesThatAreNoNumbersAreRefused() throws {
    for code in [0, 1, 32, 128, 1536, 1792, 2048, 2304, 9999] {
      try expectRefused("datatype") { set(&$0, 70, Int16(code)) }
    }
  }

  @Test func geometryThatIsNoneIsRefused() throws {
    try expectRefused("srow_y[1]") { set(&$0, 300, Float.nan) }
    try expectRefused("srow_x[3]") { set(&$0, 292, Float.infinity) }
    try expectRefused("srow_x") { set(&$0, 280, Float(0)) }
    try expectRefused("perpendicular") { set(&$0, 284, Float(0.5)) }
    try expectRefused("sform_code") { set(&$0, 254, Int16(0)) }
    try expectRefused("pixdim[2]") { bytes in
      set(&bytes, 254, Int16(0))
      set(&bytes, 252, Int16(1))
      set(&bytes, 84, Float(-1))
    }
    try expectRefused("quatern_b") { bytes in
      set(&bytes, 252, Int16(1))
      set(&bytes, 256, Float.nan)
    }
    try expectRefused("quatern") { bytes in
      set(&bytes, 252, Int16(1))
      set(&bytes, 256, Float(3))
    }
    try expectRefused("xyzt_units") { $0[123] = 1 }
    try expectRefused("scl_slope") { set(&$0, 112, Float.infinity) }
    try expectRefused("scl_inter") { set(&$0, 116, Float.nan) }
  }

  @Test func filesThatAreNoNIfTIAreRefused() throws {
    try expectRefused("sizeof_hdr") { set(&$0, 0, Int32(349)) }
    try expectRefused("magic") { $0[345] = 0 }
    try expectRefused(".hdr and .img") {
      $0[345] = UInt8(ascii: "i")
      $0[344] = UInt8(ascii: "n")
    }
    try expectRefused("header has 348") { $0.removeLast(100) }
    try expectRefused("gzip") {
      $0[0] = 0x1f
      $0[1] = 0x8b
    }
    #expect(throws: NIfTIError.cannotRead(path: path("none.nii"))) {
      try NIfTIFile(path: path("none.nii"))
    }
    #expect(throws: NIfTIError.self) { try NIfTIFile(path: path("none.img")) }
  }

  @Test func labelsMustBeWholeNumbersFrom0To255() throws {
    var bytes = valid()
    set(&bytes, 352 + 2 * 17, Int16(256))
    let file = try write(bytes)
    #expect(throws: NIfTIError.notALabel(path: file, value: 256, column: 1, row: 1, slice: 1)) {
      try NIfTIFile(path: file).labels()
    }
    set(&bytes, 352 + 2 * 17, Int16(1))
    set(&bytes, 112, Float(0.5))
    _ = try write(bytes)
    #expect(throws: NIfTIError.notALabel(path: file, value: 0.5, column: 1, row: 1, slice: 1)) {
      try NIfTIFile(path: file).labels()
    }
  }

  @Test func aFourthDimensionIsNoSingleVolume() throws {
    var bytes = valid()
    set(&bytes, 40, Int16(4))
    set(&bytes, 46, Int16(1))
    set(&bytes, 48, Int16(2))
    let file = try NIfTIFile(path: try write(bytes))
    #expect(throws: NIfTIError.severalVolumes(path: file.path, count: 2)) { try file.labels() }
    #expect(throws: NIfTIError.severalVolumes(path: file.path, count: 2)) { try file.volume() }
    #expect(try file.volumes().count == 2)
  }

  /// Cut at any place, the compressed file is refused and not read as zeros.
  @Test func compressedFilesThatEndEarlyAreRefused() async throws {
    var bytes = valid()
    for index in 0..<24 { set(&bytes, 352 + 2 * index, Int16(index)) }
    let plain = try write(bytes)
    let run = try await runProcess("/usr/bin/gzip", ["-k", plain])
    try #require(run.status == 0)
    let whole = try Data(contentsOf: URL(fileURLWithPath: plain + ".gz"))
    #expect(try NIfTIFile(path: plain + ".gz").labels().labels == (0..<24).map(UInt8.init))
    for count in [0, 5, 20, whole.count / 2, whole.count - 30, whole.count - 12] {
      let cut = path("cut.nii.gz")
      try whole.prefix(count).write(to: URL(fileURLWithPath: cut))
      #expect(throws: NIfTIError.self, "\(count) of \(whole.count) bytes") {
        try NIfTIFile(path: cut).labels()
      }
    }
  }

  /// 60 bytes that promise 4 GB are refused before memory is allocated.
  @Test func smallFilesCannotAskForMuchMemory() async throws {
    var bytes = valid()
    for axis in 1...3 { set(&bytes, 40 + 2 * axis, Int16(1200)) }
    let plain = try write(bytes, "bomb.nii")
    let run = try await runProcess("/usr/bin/gzip", ["-k", plain])
    try #require(run.status == 0)
    #expect(throws: NIfTIError.self) { try NIfTIFile(path: plain + ".gz").labels() }
    do {
      _ = try NIfTIFile(path: plain + ".gz")
    } catch NIfTIError.truncated(_, let promised, _) {
      #expect(promised == 1200 * 1200 * 1200 * 2)
    }
  }
}
