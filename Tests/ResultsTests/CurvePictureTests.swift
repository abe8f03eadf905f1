import Foundation
import TestSupport
import Testing

@testable import Results

@Suite struct CurvePictureTests {
  /// The rows of a column where the picture is nearer to the blue of the curves than to white.
  private func blueRows(column: Int, in picture: Canvas) -> [Int] {
    (0..<picture.rows).filter {
      guard let pixel = picture[column, $0] else { return false }
      return pixel.red < 160 && pixel.blue > 200
    }
  }

  @Test func aRisingLineRises() throws {
    let curve = CurvePicture.Curve(
      name: "", color: [60, 140, 230], points: [(0, 0.25), (50, 0.5), (100, 1)])
    let picture = CurvePicture.drawn([.init(title: "Dice", curves: [curve], range: 0...1)])
    #expect(picture.columns == CurvePicture.panelWidth)
    let heights = stride(from: 120, through: 600, by: 80).compactMap {
      blueRows(column: $0, in: picture).first
    }
    #expect(heights.count == 7)
    #expect(heights == heights.sorted(by: >))
    // The end is at the top of the axis, the beginning at a quarter of it.
    let (top, bottom) = (48, CurvePicture.panelHeight - 40)
    let last = try #require(blueRows(column: CurvePicture.panelWidth - 26, in: picture).first)
    #expect(abs(last - top) <= 1)
    let start = try #require(blueRows(column: 90, in: picture).last)
    #expect(abs(start - (bottom - (bottom - top) / 4)) <= 1)
  }

  @Test func whatIsNotFiniteInterruptsTheLineAndNothingElse() {
    let curve = CurvePicture.Curve(
      name: "loss", color: [60, 140, 230],
      points: [(0, 1), (10, 1), (20, .nan), (30, .infinity), (40, 2), (50, 2)])
    let picture = CurvePicture.drawn([.init(title: "", curves: [curve])])
    let drawn = (90...616).filter {
      blueRows(column: $0, in: picture).contains { $0 > 90 || $0 == 48 }
    }
    #expect(drawn.contains(100) && drawn.contains(600))
    #expect(!drawn.contains(350))
  }

  @Test func picturesOfNothingAndOfOnePointAreWritten() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("curves.png").path
    let one = CurvePicture.Curve(name: "one", color: [1, 2, 3], points: [(5, 5)])
    try CurvePicture.write(
      [.init(title: "none", curves: []), .init(title: "one", curves: [one])], to: path)
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(data.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
    #expect(throws: SegmentationError.self) {
      try CurvePicture.write([], to: "/nowhere/curves.png")
    }
  }
}
