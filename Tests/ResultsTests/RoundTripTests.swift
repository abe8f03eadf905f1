import DICOM
import Foundation
import GeometryGate
import TestSupport
import Testing

@testable import Results
@testable import Volumes

/// How a test series is placed in the patient.
struct Placing: CustomTestStringConvertible, Sendable {
  /// Direction cosines of a row and of a column.
  var row: SIMD3<Double>
  var column: SIMD3<Double>
  /// Whether the first file is the last slice along the normal.
  var descends = false
  /// mm that each slice is displaced across the normal from the one before: columns, rows.
  var shear = SIMD2(0.0, 0.0)
  var testDescription: String {
    "\(row)/\(column)\(descends ? " descending" : "")\(shear == [0, 0] ? "" : " tilted \(shear)")"
  }

  /// All 48: six exchanges of axes, each reversed or not.
  static let axes: [Placing] = {
    let units: [SIMD3<Double>] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    var placings: [Placing] = []
    for r in 0..<3 {
      for c in 0..<3 where c != r {
        for bits in 0..<8 {
          let row: SIMD3<Double> = bits & 1 == 0 ? units[r] : -units[r]
          let column: SIMD3<Double> = bits & 2 == 0 ? units[c] : -units[c]
          placings.append(Placing(row: row, column: column, descends: bits & 4 != 0))
        }
      }
    }
    return placings
  }()

  /// Oblique ones at random, every other one tilted.
  static let oblique: [Placing] = {
    var state: UInt64 = 7
    func random() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53) * 2 - 1
    }
    return (0..<12).map { index in
      let a = SIMD3(random(), random(), random())
      let b = SIMD3(random(), random(), random())
      let row = a / length(a)
      let across = b - row * dot(b, row)
      return Placing(
        row: row, column: across / length(across), descends: index % 3 == 0,
        shear: index % 2 == 0 ? [0, 0] : [random(), 2 * random()])
    }
  }()
}

/// A mask painted at known places in the patient must come back in the object at those places.
@Suite struct RoundTripTests {
  /// An ellipsoid like nothing in the series' own axes: lopsided in the patient's.
  private func isInside(_ point: SIMD3<Double>, _ centre: SIMD3<Double>) -> Bool {
    let way = point - centre
    let scaled = way / SIMD3(3, 4, 5)
    return dot(scaled, scaled) <= 1
  }

  private func series(_ placing: Placing) throws -> PhantomSeries {
    let shape = PhantomSeries.Shape(rows: 27, columns: 22, slices: 9)
    let normal = cross(placing.row, placing.column)
    var number = 0
    return try PhantomSeries(shape) { dataset in
      let slice = Double(placing.descends ? shape.slices - 1 - number : number)
      let across = placing.shear.x * placing.row + placing.shear.y * placing.column
      let step: SIMD3<Double> = 2.5 * normal + across
      let place = SIMD3(-17.25, 30, 101.5) + slice * step
      let text = { (vector: SIMD3<Double>) in
        [vector.x, vector.y, vector.z].map { String(format: "%.9f", $0) }
      }
      dataset.set(.imagePosition, .DS, text(place))
      dataset.set(.imageOrientation, .DS, text(placing.row) + text(placing.column))
      dataset.set(.instanceNumber, .IS, "\(number + 1)")
      number += 1
    }
  }

  @Test func thereAreAll48() { #expect(Set(Placing.axes.map(\.testDescription)).count == 48) }

  @Test(arguments: Placing.axes + Placing.oblique)
  func maskReturnsToItsPlaceInThePatient(_ placing: Placing) throws {
    let series = try series(placing)
    let stack = series.stack
    let resampling = UprightResampling(stack, maximumTilt: GeometryRules().maximumTilt)
    #expect((resampling == nil) == (placing.shear == [0, 0]))
    // Painted as a model sees the volume: upright, in the patient's own axes.
    let grid = resampling?.grid ?? stack.grid
    let turn = try #require(Reorientation(of: grid, to: [.superior, .anterior, .right]))
    let turned = turn.apply(grid)
    let centre = stack.grid.affine.point([10.3, 12.8, 4.2])
    let painted = LabelVolume(
      grid: turned,
      labels: points(of: turned).map { isInside($0, centre) ? 5 : 0 })
    let upright = turn.undo(painted, to: grid)
    let labels = resampling?.sourceLabels(upright) ?? upright

    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(labels)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)

    // Where the object itself says that its pixels are, by nothing but its own attributes.
    let written = try pointsOfSegmentation(path)
    let expected = points(of: stack.grid).filter { isInside($0, centre) }
    #expect(expected.count > 50)
    if resampling == nil {
      #expect(written.count == expected.count)
      for point in expected {
        #expect(written.contains { length($0 - point) < 1e-4 })
      }
    } else {
      // Labels that were resampled may differ by a voxel at the surface and nowhere else.
      #expect(abs(written.count - expected.count) < expected.count / 5)
      for point in written {
        let way = (point - centre) / (length(point - centre) + 1e-9)
        #expect(isInside(point - 1.3 * way, centre), "\(point)")
      }
      let mean = written.reduce(.zero, +) / Double(written.count)
      let due = expected.reduce(.zero, +) / Double(expected.count)
      #expect(length(mean - due) < 0.35)
    }
  }

  private func points(of grid: VolumeGrid) -> [SIMD3<Double>] {
    (0..<grid.slices).flatMap { slice in
      (0..<grid.rows).flatMap { row in
        (0..<grid.columns).map { column in
          grid.affine.point([Double(column), Double(row), Double(slice)])
        }
      }
    }
  }

  /// PS3.3 C.7.6.2.1.1 on each frame's position, orientation and spacing.
  private func pointsOfSegmentation(_ path: String) throws -> [SIMD3<Double>] {
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    let rows = try #require(dataset.integer(.rows))
    let columns = try #require(dataset.integer(.columns))
    let shared = try #require(dataset.items(.sharedFunctionalGroups).first)
    let cosines = try #require(
      shared.items(.planeOrientationSequence).first?.reals(.imageOrientation))
    let spacing = try #require(shared.items(.pixelMeasuresSequence).first?.reals(.pixelSpacing))
    let along = SIMD3(cosines[0], cosines[1], cosines[2]) * spacing[1]
    let down = SIMD3(cosines[3], cosines[4], cosines[5]) * spacing[0]
    var points: [SIMD3<Double>] = []
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      let place = try #require(frame.items(.planePositionSequence).first?.reals(.imagePosition))
      for pixel in 0..<rows * columns {
        let bit = index * rows * columns + pixel
        guard pixels[bit / 8] & (1 << UInt8(bit % 8)) != 0 else { continue }
        points.append(
          SIMD3(place[0], place[1], place[2]) + along * Double(pixel % columns)
            + down * Double(pixel / columns))
      }
    }
    return points
  }
}

/// Objects of sources that share no frame of reference, or have several places in one image.
@Suite struct UnplacedSegmentationTests {
  private func write(_ series: PhantomSeries) throws -> (path: String, labels: LabelVolume) {
    let labels = PhantomLabels.volume(on: series.stack.sourceGrid)
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(labels)
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    return (path, labels)
  }

  /// It follows from the series: the same for each object of it, and no other series'.
  @Test func withoutAFrameOfReferenceTheObjectHasOneOfItsSeries() async throws {
    var uids: [String: Set<String>] = [:]
    for uid in ["2.25.7002", "2.25.7002", "2.25.7009"] {
      let series = try PhantomSeries {
        $0[.frameOfReferenceUID] = nil
        $0.set(.seriesInstanceUID, .UI, uid)
      }
      let (path, _) = try write(series)
      let dataset = try DICOMFile(path: path).dataset
      uids[uid, default: []].insert(try #require(dataset.text(.frameOfReferenceUID)))
      let frames = dataset.items(.perFrameFunctionalGroups)
      #expect(frames.allSatisfy { !$0.items(.planePositionSequence).isEmpty })
      #expect(frames.allSatisfy { !$0.items(.derivationImageSequence).isEmpty })
      let result = try await runProcess("/usr/bin/dciodvfy", [path])
      let complaints = result.output.split(separator: "\n").filter { $0.hasPrefix("Error") }
      #expect(complaints == [])
    }
    #expect(uids.values.allSatisfy { $0.count == 1 && $0.allSatisfy { $0.hasPrefix("2.25.") } })
    #expect(Set(uids.values.flatMap(\.self)).count == 2)
  }

  @Test func aFrameOfReferenceForEachImageBecomesOne() throws {
    var number = 0
    let series = try PhantomSeries { dataset in
      number += 1
      dataset.set(.frameOfReferenceUID, .UI, "2.25.800\(number)")
    }
    let (path, _) = try write(series)
    let uid = try #require(try DICOMFile(path: path).dataset.text(.frameOfReferenceUID))
    #expect(DICOMUID.isValid(uid) && !uid.hasPrefix("2.25.800"))
  }

  @Test(.enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func tilesOfAMosaicHavePlacesOfTheirOwn() async throws {
    let file = try #require(TestFiles.shared).appendingPathComponent(
      "realdata/mr_mosaic_9_transfer_syntaxes/dicom/1.dcm")
    let frames = try DICOMFile(path: file.path).imageFrames()
    let assessment = assess(frames: frames, rules: GeometryRules())
    let stack = try #require(assessment.volumes.first?.stack, "\(assessment.reasons)")
    #expect(stack.frames.count == 35)
    let series = PhantomSeries(folder: try TemporaryFolder(), stack: stack)
    let (path, _) = try write(series)
    let result = try await runProcess("/usr/bin/dciodvfy", [path])
    let complaints = result.output.split(separator: "\n").filter { $0.hasPrefix("Error") }
    #expect(complaints == [])
  }
}
