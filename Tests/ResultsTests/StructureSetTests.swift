import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// RT Structure Sets. pydicom's reading of them is compared in ``SegmentationReadersTests``.
@Suite struct StructureSetTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private var path: String { series.folder.url.appendingPathComponent("structures.dcm").path }

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
  }

  @Test func itSaysWhatTheModelSays() throws {
    var origin = PhantomLabels.origin
    origin.remarks = ["liver of 200 ml"]
    let object = series.structures(labels, origin: origin)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let dataset = try DICOMFile(path: path).dataset
    #expect(dataset.text(.structureSetLabel) == "phantom")
    #expect(dataset.text(.approvalStatus) == "UNAPPROVED")
    #expect(
      dataset.text(.structureSetDescription)
        == "For research use only, not for treatment planning. Made by a neural network. "
        + "Warning: liver of 200 ml")
    #expect(dataset.text(.seriesDescription) == "phantom structures (research use only)")
    let regions = dataset.items(.structureSetROISequence)
    // The source is not in UTF-8.
    #expect(regions.map { $0.text(.roiName) } == ["Right kidney", "?sophagus"])
    #expect(
      dataset.items(.rtROIObservationsSequence).map { $0.text(.rtROIInterpretedType) }
        == ["ORGAN", "ORGAN"])
    let numbers = dataset.items(.roiContourSequence).flatMap { $0.items(.contourSequence) }
      .flatMap { $0.texts(.contourData) }
    #expect(numbers.count > 100 && numbers.allSatisfy { $0.utf8.count <= 16 })
  }

  @Test func nothingIsWrittenWhereNothingIsFound() throws {
    let empty = LabelVolume(
      grid: labels.grid, labels: [UInt8](repeating: 0, count: labels.labels.count))
    #expect(try series.structures(empty).write(to: path) == .nothingFound)
  }

  /// Regions may overlap, unlike the segments of a label map.
  @Test func regionsMayOverlap() throws {
    var segments = PhantomLabels.segments
    segments[0].labels = [1, 5]
    let object = series.structures(labels, segments: segments)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
  }

  @Test func tilesOfAMosaicAreNotOutlined() throws {
    var series = series
    series.stack.frames[0].mosaicTile = MosaicTile(
      index: 0, column: 0, row: 0, mosaicColumns: 10, mosaicRows: 18)
    let object = series.structures(labels)
    #expect(
      throws: SegmentationError.inexpressible(
        reason: "contours refer to images, and these slices are tiles of mosaics")
    ) { try object.write(to: path) }
  }

  // MARK: Outlines

  /// A mask drawn with # and spaces, and as its outlines fill it.
  private func outlines(_ rows: [String], mostCorners: Int = PlaneOutlines.mostCorners)
    -> (polygons: [[PlaneOutlines.Corner]], filled: [String])
  {
    let mask = rows.map { $0.map { $0 == "#" } }
    let width = mask[0].count
    let polygons = PlaneOutlines(
      columns: 0..<width, rows: 0..<mask.count, mostCorners: mostCorners
    ) { mask[$1][$0] }.polygons
    let filled = mask.indices.map { row in
      String(
        (0..<width).map { column in
          let hits = polygons.count { isInside($0, Double(column) + 0.5, Double(row) + 0.5) }
          return hits == 0 ? " " : hits == 1 ? "#" : "!"
        })
    }
    return (polygons, filled)
  }

  /// By the edges that a ray to the right crosses.
  private func isInside(_ polygon: [PlaneOutlines.Corner], _ x: Double, _ y: Double) -> Bool {
    var isInside = false
    for (index, a) in polygon.enumerated() {
      let b = polygon[(index + 1) % polygon.count]
      let (low, high) = (Double(min(a.row, b.row)), Double(max(a.row, b.row)))
      if a.column == b.column, low < y, y < high, Double(a.column) > x { isInside.toggle() }
    }
    return isInside
  }

  @Test func aHoleIsJoinedByAChannel() {
    let ring = ["#####", "#   #", "# # #", "#   #", "#####"]
    let (polygons, filled) = outlines(ring)
    #expect(filled == ring)
    // Four corners of the ring, four of the hole, and both ends of the channel again.
    #expect(polygons.map(\.count).sorted() == [4, 10])
    let twoHoles = ["#######", "# ### #", "#######"]
    #expect(outlines(twoHoles).filled == twoHoles)
    #expect(outlines(twoHoles).polygons.count == 1)
  }

  @Test func pixelsThatTouchAtACornerAreApart() {
    let checks = ["# # ", " # #", "# # "]
    let (polygons, filled) = outlines(checks)
    #expect(filled == checks && polygons.count == 6 && polygons.allSatisfy { $0.count == 4 })
    // Background that touches at a corner is one hole.
    let hole = ["####", "# ##", "## #", "####"]
    #expect(outlines(hole).filled == hole && outlines(hole).polygons.count == 1)
  }

  @Test func whatHasTooManyCornersIsDivided() {
    let comb = ["# # # #", "# # # #", "#######", "# # # #"]
    let (polygons, filled) = outlines(comb, mostCorners: 8)
    #expect(filled == comb && polygons.allSatisfy { $0.count <= 8 } && polygons.count > 1)
  }

  /// Holes within holes, corners and edges of the image, of any density.
  @Test(arguments: 1...40) func anyMaskIsFilledAgain(seed: UInt64) {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    let (width, height) = (3 + Int(seed) % 19, 2 + Int(seed) % 23)
    let density = 2 + seed % 13
    let mask = (0..<height).map { _ in
      String(
        (0..<width).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return state >> 60 < density ? "#" : " "
        })
    }
    #expect(outlines(mask).filled == mask)
    #expect(outlines(mask, mostCorners: 12).filled == mask)
  }

  // MARK: Proof

  private static func changeContour(
    _ dataset: inout Dataset, _ change: (inout Dataset) -> Void
  ) {
    dataset.change(0, of: .roiContourSequence) { region in
      region.change(1, of: .contourSequence, change)
    }
  }

  static let faults: [WrittenFault] = [
    .at(.contourData, "a contour off its plane") { dataset in
      changeContour(&dataset) { contour in
        var numbers = contour.texts(.contourData)
        numbers[2] = "\((Double(numbers[2]) ?? 0) + 0.1)"
        contour.set(.contourData, .DS, numbers)
      }
    },
    WrittenFault.dataset("a contour moved by a pixel", says: "voxels differ") { dataset in
      changeContour(&dataset) { contour in
        let numbers = contour.texts(.contourData).enumerated().map { index, text in
          index % 3 == 0 ? "\((Double(text) ?? 0) + 0.75)" : text
        }
        contour.set(.contourData, .DS, numbers)
      }
    },
    WrittenFault.dataset("a contour less", says: "voxels differ") { dataset in
      dataset.change(0, of: .roiContourSequence) {
        $0.set(.contourSequence, Array($0.items(.contourSequence).dropLast()))
      }
    },
    .at(.contourData, "a contour twice") { dataset in
      dataset.change(0, of: .roiContourSequence) { region in
        var contours = region.items(.contourSequence)
        var last = contours[contours.count - 1]
        last.set(.contourNumber, .IS, "\(contours.count + 1)")
        contours.append(last)
        region.set(.contourSequence, contours)
      }
    },
    .at(.contourData, "another number of points") { dataset in
      changeContour(&dataset) { $0.set(.numberOfContourPoints, .IS, "3") }
    },
    .at(.contourGeometricType, "an open contour") { dataset in
      changeContour(&dataset) { $0.set(.contourGeometricType, .CS, "OPEN_PLANAR") }
    },
    .at(.contourImageSequence, "a reference to an image of others") { dataset in
      changeContour(&dataset) { contour in
        contour.change(0, of: .contourImageSequence) {
          $0.set(.referencedSOPInstanceUID, .UI, "2.25.9")
        }
      }
    },
    .at(.contourData, "a reference to another image") { dataset in
      changeContour(&dataset) { contour in
        contour.change(0, of: .contourImageSequence) {
          $0.set(.referencedSOPInstanceUID, .UI, "2.25.71005")
        }
      }
    },
    .at(.roiName, "two names swapped") { dataset in
      let names = dataset.items(.structureSetROISequence).map { $0[.roiName] }
      for (index, name) in names.reversed().enumerated() {
        dataset.change(index, of: .structureSetROISequence) { $0[.roiName] = name }
      }
    },
    .at(.roiDisplayColor, "another colour") { dataset in
      dataset.change(0, of: .roiContourSequence) {
        $0.set(.roiDisplayColor, .IS, "1\\2\\3")
      }
    },
    .at(.codeValue, "another side") { dataset in
      dataset.change(0, of: .rtROIObservationsSequence) { observed in
        observed.change(0, of: .rtROIIdentificationCodeSequence) { type in
          type.change(0, of: .segmentedPropertyTypeModifierCodeSequence) {
            $0.set(.codeValue, .SH, "7771000")
          }
        }
      }
    },
    .at(.rtROIInterpretedType, "a target") { dataset in
      dataset.change(0, of: .rtROIObservationsSequence) {
        $0.set(.rtROIInterpretedType, .CS, "PTV")
      }
    },
    .at(.contourImageSequence, "an image less") { dataset in
      dataset.change(0, of: .referencedFrameOfReferenceSequence) { frame in
        frame.change(0, of: .rtReferencedStudySequence) { study in
          study.change(0, of: .rtReferencedSeriesSequence) {
            $0.set(.contourImageSequence, Array($0.items(.contourImageSequence).dropLast()))
          }
        }
      }
    },
    .text(.frameOfReferenceUID, .UI, "2.25.9"), .text(.approvalStatus, .CS, "APPROVED"),
    .text(.patientID, .LO, "OTHER"), .text(.accessionNumber, .SH, "A2"),
    .text(.structureSetDescription, .ST, "For treatment"),
    .text(.contentLabel, .CS, "X"), .text(.operatorsName, .PN, "Roe^Richard"),
  ]

  @Test(arguments: faults) func aFaultIsFound(fault: WrittenFault) throws {
    try fault.expectFound(in: series.structures(labels), at: path)
  }

  // MARK: plastimatch

  private static let plastimatch = "/usr/bin/plastimatch"

  /// A ball with a hollow, in which there is another structure.
  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: plastimatch),
      "plastimatch is not installed (Debian package plastimatch)"))
  func plastimatchFillsTheSameVoxels() async throws {
    let series = try PhantomSeries(.init(rows: 40, columns: 32, slices: 12))
    let grid = series.stack.grid
    let labels = PhantomLabels.hollowBall(on: grid)
    var segments = PhantomLabels.segments
    segments[2].name = "Esophagus"
    let path = series.folder.url.appendingPathComponent("structures.dcm").path
    let object = series.structures(labels, segments: segments)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let images = series.folder.url.appendingPathComponent("images")
    try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
    for file in Set(series.stack.frames.map(\.file)) {
      try FileManager.default.copyItem(
        atPath: file,
        toPath: images.appendingPathComponent((file as NSString).lastPathComponent).path)
    }
    let masks = series.folder.url.appendingPathComponent("masks")
    let result = try await runProcess(
      Self.plastimatch,
      [
        "convert", "--input", path, "--referenced-ct", images.path, "--output-prefix", masks.path,
        "--prefix-format", "mha",
      ])
    #expect(result.status == 0, "\(result.output)")
    for (name, label) in [("Right kidney", UInt8(5)), ("Esophagus", 1)] {
      let found = try mask(masks.appendingPathComponent("\(name).mha"))
      try #require(found.count == grid.voxelCount)
      let wanted = labels.labels.map { $0 == label }
      let both = zip(found, wanted).count { $0 && $1 }
      let dice = 2 * Double(both) / Double(found.count { $0 } + wanted.count { $0 })
      #expect(dice >= 0.999, "\(name): \(dice)")
    }
  }

  /// The voxels of a MetaImage whose header says that they are bytes, and follow.
  private func mask(_ file: URL) throws -> [Bool] {
    let bytes = try Data(contentsOf: file)
    let end = try #require(bytes.range(of: Data("ElementDataFile = LOCAL\n".utf8))).upperBound
    let header = String(decoding: bytes[..<end], as: UTF8.self)
    try #require(
      header.contains("ElementType = MET_UCHAR") && !header.contains("CompressedData = True"))
    return bytes[end...].map { $0 != 0 }
  }
}
