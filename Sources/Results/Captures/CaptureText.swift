import Foundation
import Terminology

/// The words and marks around the images of a capture.
///
/// They name the model, its structures and the place of the image, and never the patient: the viewer shows the
/// identity that the object's attributes have, which can be corrected or removed. What is burned into pixels
/// cannot, and would survive every de-identification.
enum CaptureText {
  static let notice = "RESEARCH USE ONLY - not for clinical use"
  static let background = Picture.Color(gray: 0)
  static let bright = Picture.Color(gray: 235)
  static let dim = Picture.Color(gray: 165)
  static let warning = Picture.Color(255, 200, 90)

  /// An entry of a legend.
  struct Entry: Sendable, Equatable {
    var text: String
    var color: Picture.Color
  }

  /// A text that is no wider than a width: cut at its end where it is.
  static func fitted(
    _ text: String, size: Double, width: Double, on canvas: Canvas
  ) -> String {
    guard canvas.width(of: text, size: size) > width else { return text }
    var kept = text[...]
    while !kept.isEmpty, canvas.width(of: kept + "…", size: size) > width { kept.removeLast() }
    return kept + "…"
  }

  /// The lines that a text takes in a width.
  static func lines(
    _ text: String, size: Double, width: Double, on canvas: Canvas
  ) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      let longer = (lines.last.map { $0 + " " } ?? "") + word
      if !lines.isEmpty, canvas.width(of: longer, size: size) <= width {
        lines[lines.count - 1] = longer
      } else {
        lines.append(fitted(String(word), size: size, width: width, on: canvas))
      }
    }
    return lines
  }

  /// The letters of the patient's directions on the four sides of a tile.
  static func drawLetters(around tile: PlacedTile, size: Double, on canvas: Canvas) {
    let geometry = tile.geometry
    let (left, top) = (Double(tile.left), Double(tile.top))
    let (width, height) = (Double(geometry.columns), Double(geometry.rows))
    let middle = (x: left + width / 2, y: top + height / 2 + size * 0.36)
    for (direction, x, y, alignment) in [
      (-geometry.across, left - 5, middle.y, Canvas.Alignment.right),
      (geometry.across, left + width + 5, middle.y, .left),
      (-geometry.down, middle.x, top - 5, .center),
      (geometry.down, middle.x, top + height + size + 1, .center),
    ] {
      canvas.text(PatientLetters.text(direction), at: (x, y), bright, size: size, alignment)
    }
  }

  /// A bar of a round length, no longer than a part of the width, with its length next to it; its right end
  /// is at a point.
  static func drawScaleBar(
    endingAt point: (x: Double, y: Double), scale: Double, longest: Double, size: Double,
    on canvas: Canvas
  ) {
    let lengths: [Double] = [200, 100, 50, 20, 10, 5, 2, 1]
    let millimetres = lengths.first { $0 * scale <= longest } ?? 1
    let width = millimetres * scale
    let start = point.x - width
    canvas.fill(start, point.y - 1, width, 2, bright)
    for x in [start, point.x - 2] { canvas.fill(x, point.y - 5, 2, 10, bright) }
    canvas.text(
      String(format: "%.0f mm", millimetres), at: (start - 6, point.y + size * 0.36), bright,
      size: size, .right)
  }

  /// Where each entry of a legend is: in columns of equal width, row by row.
  struct Legend: Sendable {
    let entries: [Entry]
    let size: Double
    let width: Double
    let columns: Int
    let rows: Int
    /// From one column to the next.
    private let cell: Double
    private static let swatch = 12.0

    /// - Parameters:
    ///   - entries: in order.
    ///   - size: of the text, in pixels.
    ///   - width: of the whole, in pixels.
    ///   - isSpread: whether columns share the whole width; else they are as wide as the longest entry.
    ///   - canvas: to measure text on.
    init(
      _ entries: [Entry], size: Double, width: Double, isSpread: Bool = true, on canvas: Canvas
    ) {
      self.entries = entries
      self.size = size
      self.width = width
      let widest = entries.map { canvas.width(of: $0.text, size: size) }.max() ?? 0
      let needed = widest + Self.swatch + 6 + 18
      let fitting = Int(width / needed)
      columns = max(1, min(max(fitting, 1), max(entries.count, 1)))
      rows = (entries.count + columns - 1) / columns
      let share = width / Double(columns)
      cell = isSpread ? share : min(share, needed)
    }

    var lineHeight: Double { size + 6 }
    var height: Double { Double(rows) * lineHeight }

    func draw(left: Double, top: Double, on canvas: Canvas) {
      for (index, entry) in entries.enumerated() {
        let x = left + Double(index % columns) * cell
        let baseline = top + Double(index / columns) * lineHeight + size
        canvas.fill(x, baseline - Self.swatch + 2, Self.swatch, Self.swatch, entry.color)
        let text = CaptureText.fitted(
          entry.text, size: size, width: cell - Self.swatch - 12, on: canvas)
        canvas.text(text, at: (x + Self.swatch + 6, baseline), bright, size: size)
      }
    }
  }
}
