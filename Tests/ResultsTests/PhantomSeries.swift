import DICOM
import Foundation
import GeometryGate
import Results
import Terminology
import TestSupport
import Volumes

/// A series of ours on disk, and the stack it makes.
struct PhantomSeries {
  let folder: TemporaryFolder
  var stack: SliceStack

  struct Shape {
    var rows = 9
    var columns = 5
    var slices = 6
    /// Direction cosines of row and column.
    var orientation = ["1", "0", "0", "0", "1", "0"]
    var isMultiFrame = false
    /// Times that each slice is there; the stack is that of the last.
    var phases = 1
    /// mm that each slice is displaced down its columns from the one before, as by a tilted gantry.
    var shear = 0.0
    /// What tells it from other series of the study.
    var number = 0
  }

  /// Writes a CT series, or an enhanced MR instance where the shape says so.
  init(_ shape: Shape = Shape(), change: (inout Dataset) -> Void = { _ in }) throws {
    folder = try TemporaryFolder()
    var datasets = Self.datasets(shape)
    for index in datasets.indices {
      let series = shape.number == 0 ? "7100" : "71\(shape.number)00"
      datasets[index].set(.sopInstanceUID, .UI, "2.25.\(series)\(index)")
      guard shape.number > 0 else { continue }
      datasets[index].set(.seriesInstanceUID, .UI, "2.25.7002\(shape.number)")
      datasets[index].set(.frameOfReferenceUID, .UI, "2.25.7003\(shape.number)")
    }
    var frames: [ImageFrame] = []
    for index in datasets.indices {
      change(&datasets[index])
      let path = folder.url.appendingPathComponent("\(index).dcm").path
      try datasets[index].write(to: path)
      frames += try DICOMFile(path: path).imageFrames()
    }
    let assessment = assess(frames: frames.reversed(), rules: GeometryRules())
    guard let stack = assessment.volumes.last?.stack else {
      throw PhantomError(assessment.problems)
    }
    self.stack = stack
  }

  /// A series that is there already.
  init(folder: TemporaryFolder, stack: SliceStack) {
    self.folder = folder
    self.stack = stack
  }

  /// A segmentation of the series.
  func segmentation(
    _ labels: LabelVolume, probabilities: ProbabilityVolume? = nil,
    segments: [SegmentDescription] = PhantomLabels.segments,
    origin: ResultOrigin = PhantomLabels.origin,
    identifiers: ResultIdentifiers = PhantomLabels.identifiers,
    options: ResultOptions = ResultOptions(), form: SegmentationForm = .binary
  ) -> SegmentationObject {
    SegmentationObject(
      labels, probabilities: probabilities, stack: stack, segments: segments,
      origin: PhantomModel(segments).described(origin), identifiers: identifiers,
      options: options, form: form)
  }

  /// A structure set of the series.
  func structures(
    _ labels: LabelVolume, segments: [SegmentDescription] = PhantomLabels.segments,
    origin: ResultOrigin = PhantomLabels.origin
  ) -> StructureSet {
    StructureSet(
      labels, stack: stack, segments: segments,
      origin: PhantomModel(segments).described(origin),
      identifiers: ResultIdentifiers(seriesInstanceUID: "2.25.5", sopInstanceUID: "2.25.6"))
  }

  struct PhantomError: Error {
    let problems: [GeometryFinding]
    init(_ problems: [GeometryFinding]) { self.problems = problems }
  }

  private static func datasets(_ shape: Shape) -> [Dataset] {
    let cosines = shape.orientation.compactMap(Double.init)
    let row = SIMD3(cosines[0], cosines[1], cosines[2])
    let column = SIMD3(cosines[3], cosines[4], cosines[5])
    let normal = cross(row, column)
    let positions = (0..<shape.slices).map { slice in
      let step = 2.5 * normal + shape.shear * column
      let point = SIMD3(-17.25, 30, 101.5) + Double(slice) * step
      return [point.x, point.y, point.z].map { String(format: "%.6f", $0) }
    }
    guard !shape.isMultiFrame else { return [multiFrame(shape, positions)] }
    return (1...shape.phases).flatMap { phase in
      positions.map { position in
        var dataset = image(shape, sopClassUID: "1.2.840.10008.5.1.4.1.1.2", frames: 1)
        dataset.set(.modality, .CS, "CT")
        dataset.set(.imagePosition, .DS, position)
        dataset.set(.imageOrientation, .DS, shape.orientation)
        dataset.set(.pixelSpacing, .DS, "0.50\\0.750")
        dataset.set(.sliceThickness, .DS, "3")
        dataset.set(.rescaleSlope, .DS, "1")
        dataset.set(.rescaleIntercept, .DS, "-1024")
        if shape.phases > 1 { dataset.set(.temporalPositionIdentifier, .IS, "\(phase)") }
        return dataset
      }
    }
  }

  private static func multiFrame(_ shape: Shape, _ positions: [[String]]) -> Dataset {
    var dataset = image(shape, sopClassUID: "1.2.840.10008.5.1.4.1.1.4.1", frames: shape.slices)
    dataset.set(.modality, .CS, "MR")
    dataset.set(.numberOfFrames, .IS, "\(shape.slices)")
    var measures = Dataset()
    measures.set(.pixelSpacing, .DS, "0.50\\0.750")
    measures.set(.sliceThickness, .DS, "3")
    var orientation = Dataset()
    orientation.set(.imageOrientation, .DS, shape.orientation)
    var shared = Dataset()
    shared.set(.pixelMeasuresSequence, [measures])
    shared.set(.planeOrientationSequence, [orientation])
    dataset.set(.sharedFunctionalGroups, [shared])
    dataset.set(
      .perFrameFunctionalGroups,
      positions.map { position in
        var plane = Dataset()
        plane.set(.imagePosition, .DS, position)
        var groups = Dataset()
        groups.set(.planePositionSequence, [plane])
        return groups
      })
    return dataset
  }

  private static func image(_ shape: Shape, sopClassUID: String, frames: Int) -> Dataset {
    var dataset = Dataset()
    dataset.set(.specificCharacterSet, .CS, "ISO_IR 100")
    dataset[.patientName] = DataElement(.PN, .text(Array("M".utf8) + [0xFC] + Array("ller^A".utf8)))
    dataset.set(.patientID, .LO, "PHANTOM")
    dataset.set(.patientBirthDate, .DA, "")
    dataset.set(.patientSex, .CS, "O")
    dataset.set(.studyDate, .DA, "20260102")
    dataset.set(.studyTime, .TM, "101112")
    dataset.set(.studyID, .SH, "S1")
    dataset.set(.accessionNumber, .SH, "A1")
    dataset.set(.referringPhysicianName, .PN, "")
    dataset.set(.sopClassUID, .UI, sopClassUID)
    dataset.set(.studyInstanceUID, .UI, "2.25.7001")
    dataset.set(.seriesInstanceUID, .UI, "2.25.7002")
    dataset.set(.frameOfReferenceUID, .UI, "2.25.7003")
    dataset.set(.imageType, .CS, ["ORIGINAL", "PRIMARY"])
    dataset.set(.samplesPerPixel, .US, 1)
    dataset.set(.photometricInterpretation, .CS, "MONOCHROME2")
    dataset.set(.rows, .US, shape.rows)
    dataset.set(.columns, .US, shape.columns)
    dataset.set(.bitsAllocated, .US, 16)
    dataset.set(.bitsStored, .US, 12)
    dataset.set(.highBit, .US, 11)
    dataset.set(.pixelRepresentation, .US, 0)
    let bytes = shape.rows * shape.columns * frames * 2
    dataset.set(.pixelData, .OW, bytes: [UInt8](repeating: 1, count: bytes))
    return dataset
  }
}

/// Labels and segments for tests.
enum PhantomLabels {
  /// Of no bundle yet: ``PhantomModel`` gives it one.
  static let origin = ResultOrigin(
    modelName: "phantom", modelVersion: "1.0.0", modelSHA256: "", modelFile: "",
    softwareVersion: "0.1.0", deviceSerialNumber: "SEGMENTD", moment: .unknown)
  static let identifiers = ResultIdentifiers(
    seriesInstanceUID: "2.25.1", sopInstanceUID: "2.25.2")

  static let anatomy = CodedConcept(
    value: "91723000", scheme: "SCT", meaning: "Anatomical Structure")

  /// Three segments; label 2 occurs nowhere.
  static let segments = [
    SegmentDescription(
      value: 5, name: "Right kidney", category: anatomy,
      type: CodedConcept(value: "64033007", scheme: "SCT", meaning: "Kidney"),
      modifier: CodedConcept(value: "24028007", scheme: "SCT", meaning: "Right"),
      color: [185, 102, 83]),
    SegmentDescription(
      value: 2, name: "Spleen", category: anatomy,
      type: CodedConcept(value: "78961009", scheme: "SCT", meaning: "Spleen"),
      color: [157, 108, 162]),
    SegmentDescription(
      value: 1, name: "Œsophagus", category: anatomy,
      type: CodedConcept(value: "32849002", scheme: "SCT", meaning: "Esophagus"),
      color: [211, 171, 143]),
  ]

  /// Thirteen structures, each of a colour of its own.
  static let thirteen = (1...13).map { value -> SegmentDescription in
    var segment = segments[0]
    segment.value = UInt8(value)
    segment.labels = [segment.value]
    segment.name = "Structure \(value)"
    segment.color = [UInt8(250 - 15 * value), UInt8(15 * value), 200]
    return segment
  }

  /// A ball of label 5 with a hollow, in which there is another structure, label 1; for 40 rows, 32 columns and 12
  /// slices.
  static func hollowBall(on grid: VolumeGrid) -> LabelVolume {
    LabelVolume(
      grid: grid,
      labels: (0..<grid.voxelCount).map { voxel in
        let column = Double(voxel % grid.columns) - 15.3
        let row = Double(voxel / grid.columns % grid.rows) - 19.6
        let slice = Double(voxel / (grid.columns * grid.rows)) - 5.4
        let radius = (column * column * 0.56 + row * row * 0.25 + slice * slice * 6.25)
          .squareRoot()
        return radius < 2.6 ? 1 : (4..<8.2).contains(radius) ? 5 : 0
      })
  }

  /// More than half where the label is; less than half of label 1 everywhere else, and of label 5 in slices that
  /// have it.
  static func probabilities(of labels: LabelVolume) -> ProbabilityVolume {
    var probabilities = ProbabilityVolume(grid: labels.grid, classes: 6)
    let size = labels.grid.rows * labels.grid.columns
    for (voxel, label) in labels.labels.enumerated() {
      for index in [1, 5] {
        let value = UInt8(voxel * (index + 2) % 119)
        if label == index {
          probabilities.set(128 + value, class: index, voxel: voxel)
        } else if index == 1 || value > 100 && voxel / size != 2 {
          probabilities.set(value, class: index, voxel: voxel)
        }
      }
    }
    return probabilities
  }

  /// The same labels, those of every 16th row and column on squares.
  static func blocks(_ labels: LabelVolume) -> LabelVolume {
    let (rows, columns) = (labels.grid.rows, labels.grid.columns)
    return LabelVolume(
      grid: labels.grid,
      labels: labels.labels.indices.map { voxel in
        let (slice, pixel) = voxel.quotientAndRemainder(dividingBy: rows * columns)
        let (row, column) = pixel.quotientAndRemainder(dividingBy: columns)
        return labels.labels[(slice * rows + row / 16 * 16) * columns + column / 16 * 16]
      })
  }

  /// Labels 1 and 5 at random, nothing in the third slice, label 5 not in the first.
  static func volume(on grid: VolumeGrid, seed: UInt64 = 1) -> LabelVolume {
    var state = seed
    let frameSize = grid.rows * grid.columns
    let labels = (0..<grid.voxelCount).map { voxel -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let slice = voxel / frameSize
      switch state >> 60 {
      case _ where slice == 2: return 0
      case 0..<4: return 1
      case 4..<8: return slice == 0 ? 0 : 5
      default: return 0
      }
    }
    return LabelVolume(grid: grid, labels: labels)
  }
}
