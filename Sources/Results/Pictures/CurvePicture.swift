import DICOM
import Foundation

/// Curves over one axis, such as a training's loss and Dice over its steps, as a PNG.
///
/// ```swift
/// let loss = CurvePicture.Curve(name: "loss", color: [60, 140, 230], points: [(0, 1.2), (500, 0.4)])
/// try CurvePicture.write([.init(title: "Training loss", curves: [loss])], to: "curves.png")
/// ```
public enum CurvePicture {
  /// One line.
  public struct Curve: Sendable {
    public var name: String
    /// Red, green, blue.
    public var color: [UInt8]
    /// In ascending order of x; values that are not finite interrupt the line.
    public var points: [(x: Double, y: Double)]

    public init(name: String, color: [UInt8], points: [(x: Double, y: Double)]) {
      self.name = name
      self.color = color
      self.points = points
    }
  }

  /// A diagram of curves on common axes.
  public struct Panel: Sendable {
    public var title: String
    public var curves: [Curve]
    /// The range shown of y; nil for that of the values.
    public var range: ClosedRange<Double>?

    public init(title: String, curves: [Curve], range: ClosedRange<Double>? = nil) {
      self.title = title
      self.curves = curves
      self.range = range
    }
  }

  static let panelWidth = 640
  static let panelHeight = 400

  /// Draws the panels from left to right.
  ///
  /// - Parameters:
  ///   - panels: from left to right.
  ///   - path: of the PNG; it appears whole or not at all, mode 0600.
  /// - Throws: ``SegmentationError``.
  public static func write(_ panels: [Panel], to path: String) throws(SegmentationError) {
    do { try drawn(panels).write(to: path) } catch { throw .dicom(error) }
  }

  static func drawn(_ panels: [Panel]) -> Canvas {
    let canvas = Canvas(
      columns: panelWidth * max(1, panels.count), rows: panelHeight, fill: Picture.Color(gray: 255))
    for (index, panel) in panels.enumerated() {
      Axes(panel, left: Double(index * panelWidth)).draw(panel, on: canvas)
    }
    return canvas
  }
}

/// Where the values of a panel are in the picture.
private struct Axes {
  private static let ink = Picture.Color(gray: 40)
  private static let grid = Picture.Color(gray: 225)
  private static let letters = 13.0

  let x: ClosedRange<Double>
  let y: ClosedRange<Double>
  let left: Double
  let right: Double
  let top = 48.0
  let bottom = Double(CurvePicture.panelHeight - 40)

  init(_ panel: CurvePicture.Panel, left: Double) {
    let points = panel.curves.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    x = Self.range(points.map(\.x))
    y = panel.range ?? Self.range(points.map(\.y))
    self.left = left + 90
    right = left + Double(CurvePicture.panelWidth - 24)
  }

  /// Never empty.
  private static func range(_ values: [Double]) -> ClosedRange<Double> {
    guard let least = values.min(), let most = values.max() else { return 0...1 }
    return least < most ? least...most : least - 0.5...most + 0.5
  }

  private func column(_ value: Double) -> Double { place(value, x, from: left, to: right) }

  private func row(_ value: Double) -> Double { place(value, y, from: bottom, to: top) }

  private func place(
    _ value: Double, _ range: ClosedRange<Double>, from: Double, to: Double
  ) -> Double {
    let part = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
    return from + min(max(part, 0), 1) * (to - from)
  }

  /// Round numbers within a range, four to nine of them.
  private static func ticks(_ range: ClosedRange<Double>) -> [Double] {
    let width = range.upperBound - range.lowerBound
    let power = pow(10, (log10(width / 4)).rounded(.down))
    let step = [5, 2, 1].map { $0 * power }.first { width / $0 >= 4 } ?? power
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    guard first.isFinite, last.isFinite, last - first < 100 else { return [] }
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  func draw(_ panel: CurvePicture.Panel, on canvas: Canvas) {
    for tick in Self.ticks(y) {
      let row = row(tick)
      canvas.line(through: [(left, row), (right, row)], Self.grid, width: 1)
      canvas.text(
        Self.label(tick), at: (left - 8, row + 4), Self.ink, size: Self.letters, .right)
    }
    for tick in Self.ticks(x) {
      let column = column(tick)
      canvas.line(through: [(column, top), (column, bottom)], Self.grid, width: 1)
      canvas.text(
        Self.label(tick), at: (column, bottom + 20), Self.ink, size: Self.letters, .center)
    }
    canvas.line(through: [(left, top), (left, bottom), (right, bottom)], Self.ink, width: 1)
    canvas.text(panel.title, at: (left, 30), Self.ink, size: 16)
    for curve in panel.curves { draw(curve, on: canvas) }
    writeNames(of: panel.curves, on: canvas)
  }

  /// A column of names at the right, each in its curve's colour.
  private func writeNames(of curves: [CurvePicture.Curve], on canvas: Canvas) {
    for (index, curve) in curves.enumerated() {
      canvas.text(
        String(curve.name.prefix(40)), at: (right, top + 16 + Double(index * 18)), color(curve),
        size: Self.letters, .right)
    }
  }

  private func color(_ curve: CurvePicture.Curve) -> Picture.Color {
    guard curve.color.count == 3 else { return Self.ink }
    return Picture.Color(curve.color[0], curve.color[1], curve.color[2])
  }

  private func draw(_ curve: CurvePicture.Curve, on canvas: Canvas) {
    let runs = curve.points.split { !$0.x.isFinite || !$0.y.isFinite }
    for run in runs {
      canvas.line(
        through: run.map { (column($0.x), row($0.y)) }, color(curve), width: 2)
    }
  }

  /// Without trailing zeros; thousands as they are.
  private static func label(_ value: Double) -> String {
    let text = String(format: abs(value) >= 1e6 ? "%.3g" : "%.5g", value)
    return text == "-0" ? "0" : text
  }
}
