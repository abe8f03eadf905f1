import CCairo
import DICOM
import Foundation
import TestSupport
import Testing

@testable import Results

/// Pictures as files.
@Suite struct CanvasFileTests {
  private let folder: TemporaryFolder
  private let canvas: Canvas

  /// A picture with every level of gray, steps, noise and colours.
  init() throws {
    folder = try TemporaryFolder()
    canvas = Canvas(columns: 301, rows: 203, fill: Picture.Color(17, 34, 51))
    var generator = SystemRandomNumberGenerator()
    for index in 0..<256 {
      let noise = UInt8.random(in: 0...9, using: &generator)
      let gray = UInt8(index)
      canvas.fill(Double(index), 10, 1, 80, Picture.Color(gray, gray, gray))
      canvas.fill(
        Double(index), Double(100 + index % 90), 3, 2, Picture.Color(gray, 255 - gray, noise))
    }
    canvas.text("A", at: (20, 60), Picture.Color(255, 0, 0), size: 40)
  }

  /// Cairo, whose own writer is another, reads every pixel as it was drawn.
  @Test func everyPixelIsAsDrawn() throws {
    let file = folder.url.appendingPathComponent("a.png").path
    try canvas.write(to: file)
    let read = try #require(cairo_image_surface_create_from_png(file))
    defer { cairo_surface_destroy(read) }
    #expect(cairo_surface_status(read) == CAIRO_STATUS_SUCCESS)
    #expect(
      cairo_image_surface_get_width(read) == 301 && cairo_image_surface_get_height(read) == 203)
    let data = try #require(cairo_image_surface_get_data(read))
    let stride = Int(cairo_image_surface_get_stride(read))
    var different = 0
    for row in 0..<203 {
      for column in 0..<301 {
        let pixel = UnsafeRawPointer(data + row * stride).load(
          fromByteOffset: 4 * column, as: UInt32.self)
        let drawn = canvas[column, row]
        let found = Picture.Color(
          UInt8(truncatingIfNeeded: pixel >> 16), UInt8(truncatingIfNeeded: pixel >> 8),
          UInt8(truncatingIfNeeded: pixel))
        if found != drawn { different += 1 }
      }
    }
    #expect(different == 0)
  }

  /// Of slices, which are noisy, the file is not much larger than Cairo's own.
  @Test func theFileIsNotMuchLarger() throws {
    let slice = Canvas(columns: 200, rows: 150, fill: Picture.Color(gray: 0))
    var random: UInt32 = 1
    for row in 0..<150 {
      for column in 0..<200 {
        random = random &* 1_664_525 &+ 1_013_904_223
        let gray = UInt8((row + column) / 3) + UInt8(random >> 27)
        slice.fill(Double(column), Double(row), 1, 1, Picture.Color(gray: gray))
      }
    }
    let files = ["a.png", "b.png"].map { folder.url.appendingPathComponent($0) }
    try slice.write(to: files[0].path)
    #expect(cairo_surface_write_to_png(slice.surface, files[1].path) == CAIRO_STATUS_SUCCESS)
    let sizes = try files.map { try Double(Data(contentsOf: $0).count) }
    #expect(sizes[0] <= 1.3 * sizes[1], "\(sizes)")
  }

  /// The same pixels are the same bytes, for a job that is made again.
  @Test func theBytesDependOnThePixelsAlone() throws {
    let files = ["a.png", "b.png"].map { folder.url.appendingPathComponent($0) }
    for file in files { try canvas.write(to: file.path) }
    #expect(try Data(contentsOf: files[0]) == Data(contentsOf: files[1]))
  }

  @Test func aFolderThatIsNotThereIsTold() throws {
    let error = #expect(throws: DICOMError.self) {
      try canvas.write(to: folder.url.appendingPathComponent("none/a.png").path)
    }
    #expect("\(try #require(error))".contains("No such file or directory"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
  }

  /// A disk that is full from the first byte on.
  @Test func aFullDiskIsTold() {
    let full = Canvas(columns: 4, rows: 4, fill: Picture.Color(0, 0, 0))
    let (text, number) = (full.fault(writingTo: "/dev/full"), errno)
    #expect(text == "No space left on device" && number == ENOSPC)
    let large = Canvas(columns: 512, rows: 512, fill: Picture.Color(0, 0, 0))
    for row in 0..<512 {
      large.fill(0, Double(row), Double(row * row % 512), 1, Picture.Color(UInt8(row % 256), 9, 1))
    }
    let (other, otherNumber) = (large.fault(writingTo: "/dev/full"), errno)
    #expect(other != nil && otherNumber == ENOSPC)
  }
}
