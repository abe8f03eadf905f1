import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// Structure sets of any origin as labels.
@Suite struct StructureSetLabelsTests {
  private static let plastimatch = "/usr/bin/plastimatch"

  /// A structure set of a hollow ball as we write it.
  private struct Written {
    let series: PhantomSeries
    let labels: LabelVolume
    let path: String

    init(_ orientation: [String] = ["1", "0", "0", "0", "1", "0"]) throws {
      series = try PhantomSeries(
        .init(rows: 40, columns: 32, slices: 12, orientation: orientation))
      labels = PhantomLabels.hollowBall(on: series.stack.grid)
      path = series.folder.url.appendingPathComponent("structures.dcm").path
      #expect(try series.structures(labels).write(to: path) == .written)
    }

    func read() throws -> LabelVolume {
      try SegmentationLabels.read(path, onto: labels.grid) { $0.name == "Right kidney" ? 5 : 1 }
    }

    /// Writes it again with contours of the first region changed.
    func rewrite(_ change: (inout [Dataset]) -> Void) throws {
      var dataset = try DICOMFile(path: path).dataset
      dataset.change(0, of: .roiContourSequence) { region in
        var contours = region.items(.contourSequence)
        change(&contours)
        region.set(.contourSequence, contours)
      }
      try dataset.write(to: path)
    }

    func expectFault(_ reason: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let error = #expect(throws: SegmentationLabelsError.self, sourceLocation: sourceLocation) {
        try read()
      }
      let text = try #require(error, sourceLocation: sourceLocation).description
      #expect(
        text.contains("(3006,0050)") && text.contains("of region 1 \(reason)"), "\(text)",
        sourceLocation: sourceLocation)
    }
  }

  /// Holes are joined to the outline by channels.
  @Test(arguments: [["1", "0", "0", "0", "1", "0"], ["0.8", "0.6", "0", "0", "0", "-1"]])
  func whatWeOutlineIsFilledAgain(orientation: [String]) throws {
    let written = try Written(orientation)
    #expect(try written.read() == written.labels)
    // Also where the slices are another axis of the grid, as training turns volumes.
    for axes: [PatientDirection] in [
      [.inferior, .anterior, .right], [.anterior, .left, .superior], [.left, .superior, .anterior],
    ] {
      let turn = try #require(Reorientation(of: written.labels.grid, to: axes))
      let turned = turn.apply(written.labels)
      let found = try SegmentationLabels.read(written.path, onto: turned.grid) {
        $0.name == "Right kidney" ? 5 : 1
      }
      #expect(found == turned, "\(axes)")
    }
    let segments = try SegmentationLabels.segments(of: written.path)
    #expect(segments.map(\.name) == ["Right kidney", "?sophagus"])
    #expect(segments[0].type == .init(value: "64033007", scheme: "SCT"))
    #expect(segments[0].modifier == .init(value: "24028007", scheme: "SCT"))
    #expect(segments.allSatisfy { $0.isRegion && $0.frameOfReferenceUID == "2.25.7003" })
  }

  /// Whoever sends a structure set decides what is in it; `Scripts/fuzz.sh` does this for longer.
  @Test func randomDamageIsSurvived() throws {
    let written = try Written()
    let whole = try Array(Data(contentsOf: URL(fileURLWithPath: written.path)))
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<300 {
      try Data(damage.damaged(whole)).write(to: URL(fileURLWithPath: written.path))
      guard let found = try? written.read() else { continue }
      read += 1
      #expect(found.labels.count == written.labels.labels.count)
    }
    #expect(read > 0 && read < 300)
  }

  /// A hole that is a contour of its own, and an island in it, whichever comes first.
  @Test func contoursWithinContoursAreHoles() throws {
    let written = try Written()
    let image = written.series.stack.frames[3]
    func square(_ low: Double, _ high: Double) -> Dataset {
      let corners = [(low, low), (high, low), (high, high), (low, high)]
      let points = corners.flatMap { x, y in
        [
          image.imagePosition[0] + x * image.pixelSpacing[1],
          image.imagePosition[1] + y * image.pixelSpacing[0], image.imagePosition[2],
        ]
      }
      var contour = Dataset()
      contour.set(.contourGeometricType, .CS, "CLOSEDPLANAR_XOR")
      contour.set(.numberOfContourPoints, .IS, "4")
      contour.set(.contourData, .DS, points.map { String(format: "%.3f", $0) })
      return contour
    }
    try written.rewrite { $0 = [square(9.5, 12.5), square(2.5, 20.5), square(5.5, 15.5)] }
    let found = try SegmentationLabels.read(written.path, onto: written.labels.grid) {
      $0.name == "Right kidney" ? 5 : nil
    }
    #expect(found.labels.count { $0 == 5 } == 18 * 18 - 10 * 10 + 3 * 3)
    let size = found.grid.rows * found.grid.columns
    #expect(found.labels[3 * size + 10 * 32 + 10] == 5 && found.labels[3 * size + 7 * 32 + 7] == 0)
  }

  @Test func whatIsOnNoPlaneIsRefused() throws {
    func move(_ contours: inout [Dataset], _ axis: Int, by distance: Double) {
      var numbers = contours[0].reals(.contourData)
      for index in stride(from: axis, to: numbers.count, by: 3) { numbers[index] += distance }
      contours[0].set(.contourData, .DS, numbers.map { String(format: "%.4f", $0) })
    }
    // As coordinates are rounded, it is on the plane.
    let near = try Written()
    try near.rewrite { move(&$0, 2, by: 0.1) }
    #expect(try near.read() == near.labels)
    for (axis, distance, reason) in [
      (2, 0.7, "is not on the plane of an image"), (2, -250.0, "is above or below the images"),
      (0, 40.0, "reaches beyond the images"), (1, -40.0, "reaches beyond the images"),
    ] {
      let written = try Written()
      try written.rewrite { move(&$0, axis, by: distance) }
      try written.expectFault(reason)
    }
  }

  @Test func whatEnclosesNothingIsRefused() throws {
    var written = try Written()
    try written.rewrite { $0[0].set(.contourGeometricType, .CS, "OPEN_PLANAR") }
    try written.expectFault("is OPEN_PLANAR, and encloses nothing")
    written = try Written()
    try written.rewrite { $0[0].set(.numberOfContourPoints, .IS, "3") }
    try written.expectFault("does not have as many points as it says")
    written = try Written()
    try written.rewrite { $0[0].set(.contourData, .DS, "1\\2\\inf") }
    try written.expectFault("does not have as many points as it says")
    written = try Written()
    try written.rewrite { contours in
      var numbers = contours[0].text(.contourData) ?? ""
      while numbers.utf8.count < 4 << 20 { numbers += "\\" + numbers }
      contours[0][.contourData] = DataElement(.UN, .bytes(Array(numbers.utf8)))
    }
    try written.expectFault("has more points than are read")
  }

  /// However many edges there are: a line that is drawn to and fro a hundred thousand times encloses nothing more.
  @Test func aContourOfManyEdgesIsFilled() throws {
    let written = try Written()
    try written.rewrite { contours in
      let numbers = contours[0].texts(.contourData)
      let first = Array(numbers.prefix(3))
      var there = first
      there[1] = "49.5"
      let way = (0..<50_000).flatMap { _ in there + first }
      let text = (numbers + first + way).joined(separator: "\\")
      contours[0][.contourData] = DataElement(.UN, .bytes(Array(text.utf8)))
      contours[0][.numberOfContourPoints] = nil
    }
    #expect(try written.read() == written.labels)
  }

  /// Regions, unlike the labels of a volume, may overlap: one by one they are read.
  @Test func regionsThatOverlapAreReadOneByOne() throws {
    let written = try Written()
    var dataset = try DICOMFile(path: written.path).dataset
    let contours = dataset.items(.roiContourSequence)[0].items(.contourSequence)
    dataset.change(1, of: .roiContourSequence) { $0.set(.contourSequence, contours) }
    try dataset.write(to: written.path)
    #expect(throws: SegmentationLabelsError.regionsOverlap(file: written.path, region: 2)) {
      try written.read()
    }
    for number in 1...2 {
      let found = try SegmentationLabels.read(written.path, onto: written.labels.grid) {
        $0.number == number ? 5 : nil
      }
      #expect(found.labels == written.labels.labels.map { $0 == 5 ? 5 : 0 })
    }
  }

  @Test func namesAreComparedWithoutWhatSeparatesWords() {
    let region = SegmentationLabels.Segment(number: 1, name: "RIGHT_Kidney", isRegion: true)
    #expect(region.isNamed("Right kidney") && !region.isNamed("Left kidney"))
    #expect(!SegmentationLabels.Segment(number: 1, name: "").isNamed(""))
  }

  /// Outlines by another program, which writes holes as contours of their own.
  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: plastimatch),
      "plastimatch is not installed (Debian package plastimatch)"))
  func whatPlastimatchOutlinesIsFilledExactly() async throws {
    let series = try PhantomSeries(.init(rows: 40, columns: 32, slices: 12))
    let labels = PhantomLabels.hollowBall(on: series.stack.grid)
    let path = try await outline(labels, ["Ring": 5, "Core": 1], of: series)
    #expect(
      try SegmentationLabels.read(path, onto: labels.grid) { $0.name == "Ring" ? 5 : 1 } == labels)
    #expect(try SegmentationLabels.segments(of: path).allSatisfy { $0.type == nil })
    let other = series.folder.url.appendingPathComponent("seg.dcm").path
    _ = try series.segmentation(labels).write(to: other)
    let grid = try SegmentationLabels.grid(covering: [other, path])
    #expect(try grid.coincides(with: SegmentationLabels.grid(covering: [other])))
  }

  /// - Returns: the structure set that plastimatch makes of masks.
  private func outline(
    _ labels: LabelVolume, _ names: [String: UInt8], of series: PhantomSeries
  ) async throws -> String {
    let folder = series.folder.url
    let images = folder.appendingPathComponent("images")
    let masks = folder.appendingPathComponent("masks")
    for folder in [images, masks] {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    for file in Set(series.stack.frames.map(\.file)) {
      try FileManager.default.copyItem(
        atPath: file,
        toPath: images.appendingPathComponent((file as NSString).lastPathComponent).path)
    }
    let grid = labels.grid
    let header = """
      ObjectType = Image
      NDims = 3
      BinaryData = True
      BinaryDataByteOrderMSB = False
      CompressedData = False
      TransformMatrix = 1 0 0 0 1 0 0 0 1
      Offset = -17.25 30 101.5
      ElementSpacing = 0.75 0.5 2.5
      DimSize = \(grid.columns) \(grid.rows) \(grid.slices)
      ElementType = MET_UCHAR
      ElementDataFile = LOCAL

      """
    for (name, label) in names {
      let mask = labels.labels.map { $0 == label ? UInt8(1) : 0 }
      try (Data(header.utf8) + Data(mask)).write(to: masks.appendingPathComponent("\(name).mha"))
    }
    let target = folder.appendingPathComponent("outlined")
    let result = try await runProcess(
      Self.plastimatch,
      [
        "convert", "--input-prefix", masks.path, "--prefix-format", "mha", "--referenced-ct",
        images.path, "--output-dicom", target.path,
      ])
    try #require(result.status == 0, "\(result.output)")
    let files = try FileManager.default.contentsOfDirectory(atPath: target.path)
    let file = try #require(files.first { $0.hasPrefix("rtss") }, "\(files)")
    return target.appendingPathComponent(file).path
  }
}
