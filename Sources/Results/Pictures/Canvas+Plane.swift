import CCairo
import DICOM
import Volumes

extension Canvas {
  /// Draws a plane of voxels, linear between voxel centres, and thin contours around its labels.
  ///
  /// A contour is drawn just outside the structure, in what has no label, so that the smallest one is seen within
  /// its contour; where two structures touch each has its own on its side. Nothing is blended: every pixel is
  /// an image's or a contour's.
  ///
  /// - Parameters:
  ///   - image: what is drawn.
  ///   - tile: where.
  ///   - palette: the colours of the labels.
  func draw(_ image: PlaneImage, at tile: PlacedTile, _ palette: CapturePalette) {
    let geometry = tile.geometry
    cairo_save(context)
    defer { cairo_restore(context) }
    cairo_set_antialias(context, CAIRO_ANTIALIAS_NONE)
    cairo_rectangle(
      context, Double(tile.left), Double(tile.top), Double(geometry.columns),
      Double(geometry.rows))
    cairo_clip(context)
    var matrix = cairo_matrix_t(
      xx: geometry.xx, yx: 0, xy: geometry.xy, yy: geometry.yy,
      x0: Double(tile.left) + geometry.left, y0: Double(tile.top))
    cairo_transform(context, &matrix)
    draw(image)
    let voxel = geometry.scale * min(length(image.across), length(image.down))
    let width = voxel < 5.999 ? 1.0 : 2.0
    // A contour and the pixel that it begins in, in voxels.
    let reach =
      (width + 1) * (1 + abs(geometry.xy / geometry.yy)) / min(abs(geometry.xx), abs(geometry.yy))
    drawContours(
      RegionBorders(image), palette,
      Pen(width: width, reach: reach < 10_000 ? Int(reach) + 1 : 10_000))
  }

  /// How contours are drawn.
  private struct Pen {
    /// In pixels.
    var width: Double
    /// How many voxels beyond its line a contour may be seen.
    var reach: Int
  }

  private func draw(_ image: PlaneImage) {
    let (columns, rows) = (image.columns, image.rows)
    guard
      let source = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(columns), Int32(rows)),
      let data = cairo_image_surface_get_data(source)
    else { return }
    defer { cairo_surface_destroy(source) }
    let stride = Int(cairo_image_surface_get_stride(source))
    for row in 0..<rows {
      let line = UnsafeMutableRawPointer(data + row * stride)
      for column in 0..<columns {
        line.storeBytes(
          of: UInt32(image.gray[row * columns + column]) * 0x01_01_01,
          toByteOffset: 4 * column, as: UInt32.self)
      }
    }
    cairo_surface_mark_dirty(source)
    cairo_set_source_surface(context, source, 0, 0)
    let pattern = cairo_get_source(context)
    cairo_pattern_set_filter(pattern, CAIRO_FILTER_BILINEAR)
    cairo_pattern_set_extend(pattern, CAIRO_EXTEND_PAD)
    cairo_rectangle(context, 0, 0, Double(columns), Double(rows))
    cairo_fill(context)
  }

  private func drawContours(_ borders: RegionBorders, _ palette: CapturePalette, _ pen: Pen) {
    cairo_set_line_cap(context, CAIRO_LINE_CAP_SQUARE)
    // Half of it is beyond the clip.
    cairo_set_line_width(context, 2 * pen.width)
    for (label, lines) in borders.outer.sorted(by: { $0.key < $1.key }) {
      set(palette.color(label))
      draw(lines, within: 0, borders, pen)
    }
    for (label, lines) in borders.inner.sorted(by: { $0.key < $1.key }) {
      set(palette.color(label))
      draw(lines, within: label, borders, pen)
    }
  }

  /// Draws borders on one side of them, a part of the plane at a time: Cairo's time grows with the square of the
  /// lines of a path and of its clip, which took minutes for labels like noise.
  ///
  /// - Parameter region: the label, 0 for none, whose voxels are drawn upon.
  private func draw(
    _ lines: [RegionBorders.Line], within region: UInt8, _ borders: RegionBorders, _ pen: Pen
  ) {
    for lines in RegionBorders.blocks(lines) {
      let (xs, ys) = (lines.flatMap { [$0.x0, $0.x1] }, lines.flatMap { [$0.y0, $0.y1] })
      guard let left = xs.min(), let right = xs.max(), let top = ys.min(), let bottom = ys.max()
      else { continue }
      cairo_save(context)
      let runs = borders.runs(
        of: region, x: left - pen.reach...right + pen.reach, y: top - pen.reach...bottom + pen.reach
      )
      for run in runs {
        cairo_rectangle(context, Double(run.x), Double(run.y), Double(run.width), 1)
      }
      cairo_clip(context)
      for line in lines {
        cairo_move_to(context, Double(line.x0), Double(line.y0))
        cairo_line_to(context, Double(line.x1), Double(line.y1))
      }
      cairo_identity_matrix(context)
      cairo_stroke(context)
      cairo_restore(context)
    }
  }

  /// The width in pixels of a text.
  func width(of text: String, size: Double) -> Double {
    cairo_set_font_size(context, size)
    var extents = cairo_text_extents_t()
    cairo_text_extents(context, text, &extents)
    return extents.x_advance
  }

  func fill(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ color: Picture.Color
  ) {
    set(color)
    cairo_rectangle(context, x, y, width, height)
    cairo_fill(context)
  }

  /// Red, green and blue of every pixel, row by row.
  var rgb: [UInt8] {
    cairo_surface_flush(surface)
    let count = columns * rows * 3
    guard let data = cairo_image_surface_get_data(surface) else {
      return [UInt8](repeating: 0, count: count)
    }
    let stride = Int(cairo_image_surface_get_stride(surface))
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      var index = 0
      for row in 0..<rows {
        let line = UnsafeRawPointer(data + row * stride)
        for column in 0..<columns {
          let pixel = line.load(fromByteOffset: 4 * column, as: UInt32.self)
          bytes[index] = UInt8(truncatingIfNeeded: pixel >> 16)
          bytes[index + 1] = UInt8(truncatingIfNeeded: pixel >> 8)
          bytes[index + 2] = UInt8(truncatingIfNeeded: pixel)
          index += 3
        }
      }
      initialized = count
    }
  }

  /// The version of the library, by which a line may differ.
  static var version: String { String(cString: cairo_version_string()) }
}
