import CCairo
import CPNG
import DICOM
import FileSystem
import Foundation

/// A picture with lines and text, drawn by Cairo: points from the upper left corner.
final class Canvas {
  /// Where a text is relative to its point.
  enum Alignment { case left, center, right }

  let columns: Int
  let rows: Int
  let surface: OpaquePointer
  let context: OpaquePointer

  init(columns: Int, rows: Int, fill: Picture.Color) {
    self.columns = columns
    self.rows = rows
    surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(columns), Int32(rows))
    context = cairo_create(surface)
    cairo_select_font_face(
      context, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL)
    set(fill)
    cairo_paint(context)
  }

  deinit {
    cairo_destroy(context)
    cairo_surface_destroy(surface)
  }

  func set(_ color: Picture.Color) {
    cairo_set_source_rgb(
      context, Double(color.red) / 255, Double(color.green) / 255, Double(color.blue) / 255)
  }

  /// A line through points; a single point is a dot.
  func line(through points: [(x: Double, y: Double)], _ color: Picture.Color, width: Double) {
    guard let first = points.first else { return }
    set(color)
    cairo_set_line_width(context, width)
    cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
    cairo_set_line_cap(context, points.count == 1 ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT)
    cairo_move_to(context, first.x, first.y)
    for point in points.count == 1 ? points[...] : points.dropFirst() {
      cairo_line_to(context, point.x, point.y)
    }
    cairo_stroke(context)
  }

  /// A text whose baseline begins, is centred or ends at a point.
  func text(
    _ text: String, at point: (x: Double, y: Double), _ color: Picture.Color, size: Double,
    _ alignment: Alignment = .left
  ) {
    set(color)
    cairo_set_font_size(context, size)
    var extents = cairo_text_extents_t()
    cairo_text_extents(context, text, &extents)
    let shift =
      switch alignment {
      case .left: 0.0
      case .center: extents.x_advance / 2
      case .right: extents.x_advance
      }
    cairo_move_to(context, point.x - shift, point.y)
    cairo_show_text(context, text)
  }

  /// The pixel of a column and row; nil outside, or where there is no memory for the picture.
  subscript(column: Int, row: Int) -> Picture.Color? {
    cairo_surface_flush(surface)
    guard (0..<columns).contains(column), (0..<rows).contains(row),
      let data = cairo_image_surface_get_data(surface)
    else { return nil }
    let line = data + row * Int(cairo_image_surface_get_stride(surface))
    let pixel = UnsafeRawPointer(line).load(fromByteOffset: 4 * column, as: UInt32.self)
    let byte = { (shift: UInt32) in UInt8(truncatingIfNeeded: pixel >> shift) }
    return Picture.Color(byte(16), byte(8), byte(0))
  }

  /// Writes the pixels by libpng: Cairo's own writer compresses for several times as long as drawing takes.
  ///
  /// - Returns: what is wrong; nil where the file is whole.
  func fault(writingTo path: String) -> String? {
    cairo_surface_flush(surface)
    let status = cairo_surface_status(surface)
    guard status == CAIRO_STATUS_SUCCESS, let pixels = cairo_image_surface_get_data(surface) else {
      return String(cString: cairo_status_to_string(status))
    }
    var words = [CChar](repeating: 0, count: 256)
    let stride = Int(cairo_image_surface_get_stride(surface))
    guard
      png_write_rgb_file(
        path, UInt32(columns), UInt32(rows), pixels, stride, &words, words.count) != 0
    else { return nil }
    // Asked for next, and not to be lost by what makes a text.
    let number = errno
    let text = String(
      decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    errno = number
    return text
  }

  /// Writes the picture as PNG; whole or not at all, mode 0600.
  func write(to path: String) throws(DICOMError) {
    do throws(DurableFileError) {
      try DurableFile.write(to: path) { temporaryPath in
        try WritingFault.check { fault(writingTo: temporaryPath) }
      }
    } catch {
      throw DICOMError(error)
    }
  }
}
