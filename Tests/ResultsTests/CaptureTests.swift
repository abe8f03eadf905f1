import Cryptography
import DICOM
import Foundation
import GeometryGate
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// Secondary captures show what was segmented, the right way round, and others read them.
@Suite struct CaptureTests {
  private struct Read: Decodable {
    var frames: Int
    var rows: Int
    var columns: Int
    var sha256: String
  }

  private func errors(_ path: String) async throws -> Set<Substring> {
    Set(
      try await runProcess("/usr/bin/dciodvfy", [path]).output.split(separator: "\n")
        .filter { $0.hasPrefix("Error") })
  }

  /// dciodvfy finds no error that the source does not have, and pydicom reads the pixels that were drawn.
  @Test(arguments: ["", "BRAIN"]) func othersReadEveryForm(bodyPart: String) async throws {
    let phantom = try CapturePhantom { dataset in
      if !bodyPart.isEmpty { dataset.set(.bodyPartExamined, .CS, bodyPart) }
      dataset.set(.lossyImageCompression, .CS, "01")
      dataset.set(.lossyImageCompressionRatio, .DS, "12.5")
      dataset.set(.lossyImageCompressionMethod, .CS, "ISO_10918_1")
    }
    let single = try #require(phantom.captures.singleFrames().dropFirst(2).first)
    let paths = [
      try phantom.write(phantom.captures.frames(), "captures.dcm"),
      try phantom.write(single, "capture.dcm"),
      try phantom.write(phantom.captures.page(millilitres: phantom.millilitres), "page.dcm"),
    ]
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/readers/read_captures.py")
    let result = try await runProcess(testPython, [script.path] + paths)
    #expect(result.status == 0, "\(result.output)")
    let read = try JSONDecoder().decode([Read].self, from: Data(result.output.utf8))
    #expect(read.map(\.frames) == [7, 1, 1])
    for (path, read) in zip(paths, read) {
      let complaints = try await errors(path).subtracting(
        errors(phantom.series.stack.frames[0].file))
      #expect(complaints == [])
      let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
      #expect(dataset.integer(.rows) == read.rows && dataset.integer(.columns) == read.columns)
      let count = read.frames * read.rows * read.columns * 3
      let digest = SHA256.hash(data: Data(pixels.prefix(count)))
      #expect(digest.map { String(format: "%02x", $0) }.joined() == read.sha256)
    }
  }

  /// PS3.3 C.7.3.1: Laterality is due for paired organs, and has no value where the side is not known.
  @Test(arguments: [("KNEE", true), ("HEART", false)])
  func onlyWhatMayBePairedHasASide(bodyPart: String, isPaired: Bool) throws {
    let phantom = try CapturePhantom { $0.set(.bodyPartExamined, .CS, bodyPart) }
    let path = try phantom.write(phantom.captures.frames(), "captures.dcm")
    let laterality = try DICOMFile(path: path).dataset[.laterality]
    #expect(laterality?.isEmpty == (isPaired ? true : nil))
  }

  @Test func framesSayWhereTheyAreAndOfWhichImage() throws {
    let phantom = try CapturePhantom()
    let object = phantom.captures.frames()
    let dataset = try DICOMFile(path: try phantom.write(object)).dataset
    #expect(dataset.text(.seriesDescription) == "phantom contours (research use only)")
    #expect(dataset.texts(.patientOrientation) == ["L", "P"])
    #expect(dataset.text(.burnedInAnnotation) == "NO")
    let groups = dataset.items(.perFrameFunctionalGroups)
    let sources = groups.map {
      $0.items(.derivationImageSequence)[0].items(.sourceImageSequence)[0]
        .text(.referencedSOPInstanceUID)
    }
    #expect(sources == phantom.series.stack.frames.map(\.sopInstanceUID))
    let heights = groups.map { $0.items(.planePositionSequence)[0].reals(.imagePosition)[2] }
    #expect(heights == phantom.series.stack.frames.map { $0.imagePosition[2] })
  }

  /// Where one image says that a name is burned into it, the captures say so, and the proof asks for it.
  @Test func whatIsBurnedIntoAnImageIsSaid() throws {
    var number = 0
    let phantom = try CapturePhantom(change: { dataset in
      number += 1
      dataset.set(.burnedInAnnotation, .CS, number == 5 ? "YES" : "NO")
    })
    let series = phantom.captures
    // Of objects of one frame it is that of the one image.
    let ofOne = try series.singleFrames().map {
      try DICOMFile(path: phantom.write($0)).dataset.text(.burnedInAnnotation)
    }
    #expect(ofOne.filter { $0 == "YES" }.count == 1, "\(ofOne)")
    for object in [series.frames(), series.page(millilitres: phantom.millilitres)] {
      let path = try phantom.write(object)
      var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
      #expect(dataset.text(.burnedInAnnotation) == "YES")
      dataset.set(.burnedInAnnotation, .CS, "NO")
      dataset.set(.pixelData, .OB, bytes: pixels)
      pixels = []
      try dataset.write(to: path)
      let error = #expect(throws: ProofError.self) { try object.prove(path) }
      #expect("\(try #require(error))".contains("\(DICOM.Tag.burnedInAnnotation)"))
    }
    // No pixel of an image is in a segmentation.
    let segmentation = phantom.series.segmentation(phantom.labels)
    let path = phantom.series.folder.url.appendingPathComponent("seg.dcm").path
    #expect(try segmentation.write(to: path) == .written)
    try segmentation.prove(path)
    #expect(try DICOMFile(path: path).dataset.text(.burnedInAnnotation) == "NO")
  }

  /// Each picture says what is unusual, in as many lines as that takes.
  @Test func whatIsUnusualIsInEveryPicture() throws {
    var origin = PhantomLabels.origin
    origin.remarks = [
      "Spleen was not found", String(repeating: "something is too large ", count: 9),
    ]
    let phantom = try CapturePhantom(origin: origin)
    let series = phantom.captures
    for object in [series.frames(), series.page(millilitres: phantom.millilitres)]
      + series.singleFrames().prefix(1)
    {
      let text: [String]
      switch object.content {
      case .frames(let images, _), .frame(let images, _): text = images.caption
      case .page(let page, _): text = page.warnings
      }
      let said = text.joined(separator: " ")
      #expect(said.contains("Unusual: Spleen was not found Unusual: something"), "\(said)")
      #expect(said.components(separatedBy: "too large").count == 10, "\(said)")
      // Written and proved.
      _ = try phantom.write(object)
    }
    #expect(try CapturePhantom().captures.frames().size.rows < series.frames().size.rows)
  }

  /// Image orientations as they are stored, and the letters that have to be on the left and above.
  @Test(arguments: [
    (["1", "0", "0", "0", "1", "0"], "R", "A"), (["-1", "0", "0", "0", "-1", "0"], "R", "A"),
    (["1", "0", "0", "0", "-1", "0"], "R", "A"), (["0", "1", "0", "1", "0", "0"], "R", "A"),
    (["1", "0", "0", "0", "0", "-1"], "R", "H"), (["1", "0", "0", "0", "0", "1"], "R", "H"),
    (["0", "1", "0", "0", "0", "-1"], "A", "H"), (["0", "-1", "0", "0", "0", "1"], "A", "H"),
  ])
  func imagesAreTurnedTheRightWayUp(_ orientation: [String], _ left: String, _ top: String) throws {
    var shape = CapturePhantom.shape
    shape.orientation = orientation
    let phantom = try CapturePhantom(shape)
    let tile = CaptureFrames(
      phantom.captures.volume, phantom.captures.palette, title: ""
    ).tile(3).geometry
    #expect(PatientLetters.text(-tile.across) == left && PatientLetters.text(-tile.down) == top)
    _ = try phantom.write(phantom.captures.frames())
    _ = try phantom.write(phantom.captures.page(millilitres: [:]))
    for object in phantom.captures.singleFrames() { _ = try phantom.write(object) }
    let sides = phantom.page.tiles.prefix(3).map {
      PatientLetters.text(-$0.geometry.across) + PatientLetters.text(-$0.geometry.down)
    }
    #expect(Set(sides) == ["RA", "RH", "AH"])
  }

  /// The short axis of a heart is shown as it is stored: its readers know it so.
  @Test func obliqueImagesAreLeftAsTheyAreStored() throws {
    var shape = CapturePhantom.shape
    shape.orientation = ["0.70710678", "0.5", "-0.5", "0", "-0.70710678", "-0.70710678"]
    let phantom = try CapturePhantom(shape)
    let view = PlaneView(phantom.captures.volume.grid, normal: 0)
    #expect(view.across == .init(axis: 2, isReversed: false))
    #expect(view.down == .init(axis: 1, isReversed: false))
    _ = try phantom.write(phantom.captures.frames())
    _ = try phantom.write(phantom.captures.page(millilitres: [:]))
  }

  /// Tilted, of one image, of an enhanced object, without a frame of reference, and with a gap.
  @Test func everyKindOfStackIsProved() throws {
    var tilted = 0
    let sources: [(CapturePhantom, tiles: Int)] = [
      (
        try CapturePhantom { dataset in
          tilted += 1
          let height = 101.5 + 2.5 * Double(tilted)
          dataset.set(.imagePosition, .DS, ["-17.25", "\(30 + 0.6 * Double(tilted))", "\(height)"])
        }, 3
      ),
      (try oneSlice(), 1),
      (try CapturePhantom(.init(rows: 24, columns: 20, slices: 7, isMultiFrame: true)), 3),
      (try CapturePhantom { $0[.frameOfReferenceUID] = nil }, 3),
    ]
    for (phantom, tiles) in sources {
      _ = try phantom.write(phantom.captures.frames())
      _ = try phantom.write(phantom.captures.page(millilitres: [:]))
      for object in phantom.captures.singleFrames() { _ = try phantom.write(object) }
      #expect(phantom.page.tiles.count == tiles)
    }
  }

  private func oneSlice() throws -> CapturePhantom {
    var series = try CapturePhantom().series
    series.stack.frames = [series.stack.frames[0]]
    series.stack.grid.slices = 1
    return try CapturePhantom(
      series,
      labels: { grid in
        LabelVolume(
          grid: grid, labels: (0..<grid.voxelCount).map { $0 % 20 < 5 && $0 > 200 ? 5 : 0 })
      })
  }

  /// Neighbouring voxels that differ as much as they can.
  @Test func imagesOfNoiseAreProved() throws {
    var state: UInt64 = 7
    let phantom = try CapturePhantom { dataset in
      let count = (dataset.integer(.rows) ?? 0) * (dataset.integer(.columns) ?? 0)
      let values = (0..<count).flatMap { _ -> [UInt8] in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let value = 864 + Int(state >> 40) % 400
        return [UInt8(value & 0xFF), UInt8(value >> 8)]
      }
      dataset.set(.pixelData, .OW, bytes: values)
    }
    _ = try phantom.write(phantom.captures.frames())
    _ = try phantom.write(phantom.captures.page(millilitres: [:]))
  }

  /// Slices that are at uneven steps are shown where they are, and no plane across them.
  @Test func slicesAtUnevenStepsHaveNoPlaneAcross() throws {
    let source = try CapturePhantom()
    var frames = source.series.stack.frames
    frames.remove(at: 3)
    var rules = GeometryRules()
    rules.fillsGapsUpTo = 10
    let uneven = try #require(assess(frames: frames, rules: rules).volumes.first?.stack)
    let phantom = try CapturePhantom(PhantomSeries(folder: source.series.folder, stack: uneven))
    let stack = phantom.series.stack
    #expect(stack.sliceIndices != nil)
    let dataset = try DICOMFile(path: try phantom.write(phantom.captures.frames())).dataset
    let written = dataset.items(.perFrameFunctionalGroups).map {
      $0.items(.planePositionSequence)[0].reals(.imagePosition)[2]
    }
    #expect(written == stack.frames.map { $0.imagePosition[2] })
    let page = KeyPage(
      phantom.captures.volume, phantom.captures.palette,
      KeyPage.Content(title: "", warnings: [], millilitres: [:]))
    #expect(page.tiles.allSatisfy { $0.normal == 0 })
    _ = try phantom.write(phantom.captures.page(millilitres: [:]))
  }

  /// Of one to four voxels each is seen within its contour.
  @Test(arguments: [[(0, 0)], [(0, 0), (1, 0), (2, 0)], [(0, 0), (1, 0), (0, 1), (1, 1)]])
  func smallStructuresAreOutlinedAndNotFilled(_ voxels: [(Int, Int)]) throws {
    let phantom = try CapturePhantom(labels: { grid in
      var labels = LabelVolume(
        grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
      for (x, y) in voxels {
        labels.labels[(3 * grid.rows + 10 + y) * grid.columns + 10 + x] = 5
      }
      return labels
    })
    let frames = CaptureFrames(phantom.captures.volume, phantom.captures.palette, title: "")
    let canvas = frames.draw(3)
    let tile = frames.tile(3)
    let color = phantom.captures.palette.color(5)
    var inside = 0
    let box = phantom.captures.volume.box
    for row in 0..<tile.geometry.rows {
      for column in 0..<tile.geometry.columns {
        let x = Int(((Double(column) + 0.5) / tile.geometry.xx).rounded(.down))
        let y = Int(((Double(row) + 0.5) / tile.geometry.yy).rounded(.down))
        let isStructure = voxels.contains {
          $0.0 + 10 == x + box.columns.lowerBound && $0.1 + 10 == y + box.rows.lowerBound
        }
        guard isStructure else { continue }
        inside += 1
        #expect(canvas[tile.left + column, tile.top + row] != color)
      }
    }
    #expect(inside >= 4 * voxels.count)
    _ = try phantom.write(phantom.captures.frames())
  }

  /// Thirteen labels far from each other, of which three planes show some.
  @Test func everyLabelIsOnThePage() throws {
    let phantom = try CapturePhantom(
      .init(rows: 40, columns: 40, slices: 26), segments: PhantomLabels.thirteen,
      labels: { grid in
        var labels = LabelVolume(
          grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
        for value in 1...13 {
          let (row, column) = (3 * value % 38, (7 * value) % 37)
          let first = (2 * value - 1) * grid.rows
          labels.labels[(first + row) * grid.columns + column] = UInt8(value)
        }
        return labels
      })
    _ = try phantom.write(phantom.captures.page(millilitres: [:]))
    _ = try phantom.write(phantom.captures.frames())
  }

  /// The same labels give the same files, and others another UID.
  @Test func theSameResultIsTheSameFile() throws {
    let (one, other) = (try CapturePhantom(), try CapturePhantom())
    for (a, b) in [
      (one.captures.frames(), other.captures.frames()),
      (one.captures.page(millilitres: [:]), other.captures.page(millilitres: [:])),
    ] {
      #expect(a.identifiers == b.identifiers)
      let bytes = try [one.write(a), other.write(b)].map {
        try Data(contentsOf: URL(fileURLWithPath: $0))
      }
      #expect(bytes[0] == bytes[1])
    }
    let less = try CapturePhantom(labels: { grid in
      var labels = one.labels
      labels.labels[labels.labels.firstIndex(of: 5) ?? 0] = 0
      return labels
    })
    #expect(
      less.captures.frames().identifiers.sopInstanceUID
        != one.captures.frames().identifiers.sopInstanceUID)
    let all =
      one.captures.singleFrames() + [
        one.captures.frames(), one.captures.page(millilitres: [:]),
      ]
    #expect(Set(all.map(\.identifiers.sopInstanceUID)).count == all.count)
    #expect(Set(all.map(\.identifiers.seriesInstanceUID)).count == 1)
  }

  /// Of another patient the pictures are the same to the pixel: nothing of the patient is burned in.
  @Test func noPictureHasAnythingOfThePatient() throws {
    let one = try CapturePhantom()
    let other = try CapturePhantom { dataset in
      dataset.set(.patientName, .PN, "Doe^Jane")
      dataset.set(.patientID, .LO, "OTHER-PATIENT")
      dataset.set(.patientBirthDate, .DA, "19610203")
      dataset.set(.accessionNumber, .SH, "A77")
      dataset.set(.studyDate, .DA, "20250607")
      dataset.set(.institutionName, .LO, "Hospital")
    }
    for (a, b) in [
      (one.captures.frames(), other.captures.frames()),
      (one.captures.page(millilitres: [:]), other.captures.page(millilitres: [:])),
    ] {
      let pixels = try [one.write(a), other.write(b)].map {
        try DICOMFile.withNativePixels(path: $0).1
      }
      #expect(pixels[0] == pixels[1])
    }
  }

  @Test func theWindowIsTheImagesOrFollowsFromThem() throws {
    func text(_ center: String, _ width: String) throws -> String {
      try CapturePhantom { dataset in
        dataset.set(.windowCenter, .DS, center)
        dataset.set(.windowWidth, .DS, width)
      }.captures.volume.window.text
    }
    #expect(try text("0\\40", "600\\80") == "W 600 L 0")
    // Of this one everything would be white.
    #expect(try text("-900", "100") == "W 400 L 40")
    let air = try CapturePhantom { $0.set(.rescaleIntercept, .DS, "-3024") }
    #expect(air.captures.volume.window.text != "W 400 L 40")
    let low = GrayWindow(low: 0, high: 10, isInverted: false)
    #expect(low.level(-1) == 0 && low.level(10) == 255 && low.level(.nan) == 0)
    #expect(GrayWindow(low: 0, high: 10, isInverted: true).level(0) == 255)
  }
}
