import CPNG
import DICOM
import FileSystem

/// An sRGB picture in memory.
struct Picture {
  struct Color: Equatable {
    var red: UInt8
    var green: UInt8
    var blue: UInt8

    init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
      (self.red, self.green, self.blue) = (red, green, blue)
    }

    init(gray: UInt8) { self.init(gray, gray, gray) }
  }

  let columns: Int
  let rows: Int
  private(set) var pixels: [UInt8]

  init(columns: Int, rows: Int, fill: Color) {
    self.columns = columns
    self.rows = rows
    pixels = [UInt8](repeating: 0, count: columns * rows * 3)
    for row in 0..<rows {
      for column in 0..<columns { self[column, row] = fill }
    }
  }

  subscript(column: Int, row: Int) -> Color {
    get {
      let start = (row * columns + column) * 3
      return Color(pixels[start], pixels[start + 1], pixels[start + 2])
    }
    set {
      let start = (row * columns + column) * 3
      pixels[start] = newValue.red
      pixels[start + 1] = newValue.green
      pixels[start + 2] = newValue.blue
    }
  }

  /// Writes the picture as PNG; whole or not at all, mode 0600.
  func write(to path: String) throws(DICOMError) {
    do throws(DurableFileError) {
      try DurableFile.write(to: path) { temporaryPath in
        try WritingFault.check {
          var message = [CChar](repeating: 0, count: 80)
          let status = png_write_rgb_file(
            temporaryPath, UInt32(columns), UInt32(rows), pixels, &message, message.count)
          guard status != 0 else { return nil }
          return String(
            decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
      }
    } catch {
      throw DICOMError(error)
    }
  }
}
