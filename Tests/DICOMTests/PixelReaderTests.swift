import Foundation
import GeometryGate
import TestSupport
import Testing
import Volumes

@testable import DICOM

@Suite struct PixelReaderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Reads slices written as files through their assessed stack.
  private func read(_ slices: [Dataset]) throws -> Volume {
    var frames: [ImageFrame] = []
    var files: [String: String] = [:]
    for (index, slice) in slices.enumerated() {
      let file = try DICOMFile(path: Phantom.write(slice, "\(index).dcm", in: folder))
      let found = try file.imageFrames()
      frames += found
      files[found[0].sopInstanceUID] = file.path
    }
    let assessment = assess(frames: frames, rules: GeometryRules())
    let stack = try #require(assessment.volumes.first?.stack, "\(assessment.problems)")
    return try PixelReader.read(stack) { files[$0] }
  }

  private func series(_ pixels: [Int16], change: (Int, inout Dataset) -> Void = { _, _ in })
    -> [Dataset]
  {
    (0..<3).map { index in
      var slice = Phantom.slice(height: 5 - 2.5 * Double(index), pixels: pixels)
      change(index, &slice)
      return slice
    }
  }

  @Test func valuesAreMaskedSignedAndRescaledInThePatientsOrder() throws {
    // Bit 12 is an overlay's; -1 of 12 bits keeps its sign.
    var pixels = [Int16](repeating: 0, count: 24)
    pixels[0] = 0x1000 | 5
    pixels[1] = 0x0FFF
    let volume = try read(
      series(pixels) { index, slice in slice.set(.rescaleIntercept, .DS, "\(-1000 - index)") })
    #expect(volume.grid.slices == 3)
    #expect(volume.grid.affine.origin.z == 0)
    #expect(volume.voxels[0...2] == [-992, -1004, -1002])
    #expect(volume.voxels[48...50] == [-990, -1002, -1000])
    #expect(volume.grid.affine.column == [0.75, 0, 0])
    #expect(volume.grid.affine.row == [0, 0.5, 0])
  }

  @Test func paddingBecomesAirAndMonochrome1StaysUpright() throws {
    var pixels = [Int16](repeating: 100, count: 24)
    pixels[3] = -2000
    pixels[4] = -1990
    let volume = try read(
      series(pixels) { _, slice in
        slice.set(.pixelPaddingValue, .US, 63536)
        slice.set(.pixelPaddingRangeLimit, .SS, -1990)
        slice.set(.photometricInterpretation, .CS, "MONOCHROME1")
      })
    #expect(volume.voxels[2...5] == [-800, -1024, -1024, -800])
  }

  @Test func valuesWithoutAKnownUnitAreRefused() throws {
    let pixels = [Int16](repeating: 0, count: 24)
    #expect(throws: DICOMError.self) {
      let path = try Phantom.write(series(pixels)[0], "od.dcm", in: folder)
      var frame = try DICOMFile(path: path).imageFrames()[0]
      var slice = series(pixels)[0]
      slice.set(.sopInstanceUID, .UI, frame.sopInstanceUID)
      slice.set(.rescaleType, .LO, "OD")
      try slice.write(to: path)
      frame.rescaleType = "OD"
      let affine = Affine(
        column: [0.75, 0, 0], row: [0, 0.5, 0], slice: [0, 0, 1], origin: [0, 0, 0])
      let grid = VolumeGrid(columns: 6, rows: 4, slices: 1, affine: affine)
      _ = try PixelReader.read(SliceStack(grid: grid, frames: [frame])) { _ in path }
    }
    #expect(throws: DICOMError.self) {
      try read(series(pixels) { _, slice in slice.set(.rescaleSlope, .DS, "0") })
    }
    #expect(throws: DICOMError.self) {
      try read(series(pixels) { _, slice in slice[.rescaleIntercept] = nil })
    }
    #expect(throws: DICOMError.self) {
      try read(series(pixels) { _, slice in slice.set(.modalityLUTSequence, [Dataset()]) })
    }
  }

  @Test(arguments: [23, 25]) func pixelDataOfAnotherLengthIsRefused(count: Int) throws {
    let error = #expect(throws: DICOMError.self) {
      try read(series([Int16](repeating: 0, count: count)))
    }
    #expect("\(try #require(error))".contains("\(2 * count) bytes of pixel data where 48 are due"))
  }

  @Test func aFileThatChangedSinceItWasAssessedIsRefused() throws {
    let pixels = [Int16](repeating: 0, count: 24)
    let slices = series(pixels)
    let volume = try read(slices)
    var frames: [ImageFrame] = []
    for index in 0..<3 {
      frames += try DICOMFile(path: folder.url.appendingPathComponent("\(index).dcm").path)
        .imageFrames()
    }
    frames.reverse()
    let stack = SliceStack(grid: volume.grid, frames: frames)
    #expect(throws: DICOMError.self) {
      try PixelReader.read(stack) { _ in folder.url.appendingPathComponent("0.dcm").path }
    }
    #expect(throws: DICOMError.noFile(sopInstanceUID: frames[0].sopInstanceUID)) {
      try PixelReader.read(stack) { _ in nil }
    }
  }
}
