import DICOM
import Foundation
import Terminology
import Volumes

/// Writes the functional groups of an object's frames (PS3.3 A.51.5).
struct FrameGroups {
  /// What all frames share.
  let shared: Dataset
  /// Of each slice that has a frame: place and source image, which the frames of all segments share, and its
  /// rank among them from 1.
  private let slices: [Int: (groups: Dataset, rank: Int)]

  /// - Parameters:
  ///   - stack: the source images.
  ///   - source: what their files say.
  ///   - slices: those that have a frame, ascending.
  init(stack: SliceStack, source: SourceImages, slices: [Int]) {
    shared = Self.shared(stack, source)
    self.slices = Dictionary(
      uniqueKeysWithValues: slices.enumerated().map { rank, slice in
        var position = Dataset()
        position[.imagePosition] = source.planes[slice].imagePosition.decimalString
        var groups = Dataset()
        groups.set(.planePositionSequence, [position])
        groups.set(.derivationImageSequence, [Self.derivation(from: stack.frames[slice])])
        return (slice, (groups, rank + 1))
      })
  }

  /// The item of a frame.
  func item(_ frame: SegmentFrames.Frame) -> Dataset {
    var (groups, rank) = slices[frame.slice] ?? (Dataset(), 0)
    var content = Dataset()
    if let number = frame.segmentNumber {
      content.set(.dimensionIndexValues, .UL, number, rank)
      var identification = Dataset()
      identification.set(.referencedSegmentNumber, .US, number)
      groups.set(.segmentIdentificationSequence, [identification])
    } else {
      content.set(.dimensionIndexValues, .UL, rank)
    }
    groups.set(.frameContentSequence, [content])
    return groups
  }

  private static func shared(_ stack: SliceStack, _ source: SourceImages) -> Dataset {
    let step = stack.grid.affine.stepAlongNormal
    var measures = Dataset()
    measures[.pixelSpacing] = source.planes[0].pixelSpacing.decimalString
    if let thickness = source.planes[0].sliceThickness?.decimalString,
      isThickness(thickness)
    {
      measures[.sliceThickness] = thickness
    } else {
      measures.set(.sliceThickness, .DS, PlainText.decimal(step))
    }
    // Only where it is one (PS3.3 C.7.6.16.2.1).
    if stack.sliceIndices == nil {
      measures.set(.spacingBetweenSlices, .DS, PlainText.decimal(step))
    }
    var orientation = Dataset()
    orientation[.imageOrientation] = source.planes[0].imageOrientation.decimalString
    var shared = Dataset()
    shared.set(.pixelMeasuresSequence, [measures])
    shared.set(.planeOrientationSequence, [orientation])
    return shared
  }

  /// Whether an element is one positive number as DICOM stores it (PS3.5 6.2).
  private static func isThickness(_ element: DataElement) -> Bool {
    guard case .text(let bytes) = element.value, bytes.count <= 16 else { return false }
    let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    return Double(text).map { $0.isFinite && $0 > 0 } == true
  }

  private static func derivation(from image: ImageFrame) -> Dataset {
    let code = { (concept: CodedConcept) in concept.item { PlainText.ascii($0, to: $1) } }
    let purpose = CodedConcept(
      value: "121322", scheme: "DCM", meaning: "Source image for image processing operation")
    var reference = Dataset()
    reference.set(.referencedSOPClassUID, .UI, image.sopClassUID)
    reference.set(.referencedSOPInstanceUID, .UI, image.sopInstanceUID)
    if let number = image.frameNumber { reference.set(.referencedFrameNumber, .IS, "\(number)") }
    reference.set(.purposeOfReferenceCodeSequence, [code(purpose)])
    // A tile is not where its pixels are in the mosaic.
    reference.set(.spatialLocationsPreserved, .CS, image.mosaicTile == nil ? "YES" : "NO")
    let segmentation = CodedConcept(value: "113076", scheme: "DCM", meaning: "Segmentation")
    var derivation = Dataset()
    derivation.set(.derivationCodeSequence, [code(segmentation)])
    derivation.set(.sourceImageSequence, [reference])
    return derivation
  }
}
