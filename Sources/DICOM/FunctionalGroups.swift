/// The attributes of one frame, wherever the instance keeps them: at the top of a classic instance,
/// in the per-frame or else the shared functional groups of a multi-frame one (PS3.3 C.7.6.16).
struct FrameAttributes {
  private let classic: Dataset?
  private let perFrame: Dataset
  private let shared: Dataset

  init(classic: Dataset) {
    self.classic = classic
    perFrame = Dataset()
    shared = Dataset()
  }

  init(perFrame: Dataset, shared: Dataset) {
    classic = nil
    self.perFrame = perFrame
    self.shared = shared
  }

  /// The dataset that holds the attributes of a functional group.
  func group(_ sequence: Tag) -> Dataset {
    classic ?? perFrame.items(sequence).first ?? shared.items(sequence).first ?? Dataset()
  }
}

extension DICOMFile {
  /// Whether frames are described by functional groups.
  var hasFunctionalGroups: Bool { !dataset.items(.perFrameFunctionalGroups).isEmpty }

  /// The attributes of every frame, in order.
  ///
  /// - Throws: ``DICOMError`` where a multi-frame instance does not describe each of its frames.
  func frameAttributes() throws(DICOMError) -> [FrameAttributes] {
    let count = try frameCount()
    guard hasFunctionalGroups else {
      guard count == 1 else {
        throw .missingAttribute(file: path, tag: .perFrameFunctionalGroups)
      }
      return [FrameAttributes(classic: dataset)]
    }
    let perFrame = dataset.items(.perFrameFunctionalGroups)
    guard perFrame.count == count else {
      throw .invalidAttribute(
        file: path, tag: .numberOfFrames,
        value: "\(count), but \(perFrame.count) frames are described")
    }
    let shared = dataset.items(.sharedFunctionalGroups).first ?? Dataset()
    return perFrame.map { FrameAttributes(perFrame: $0, shared: shared) }
  }

  /// The elements that place a frame in the patient, as stored, for objects that refer to it.
  ///
  /// - Parameter frameNumber: from 1; nil for a classic instance.
  /// - Throws: ``DICOMError/missingAttribute(file:tag:)``.
  public func planeElements(frameNumber: Int?) throws(DICOMError) -> PlaneElements {
    let frames = try frameAttributes()
    let index = (frameNumber ?? 1) - 1
    guard frames.indices.contains(index) else {
      throw .missingAttribute(file: path, tag: .perFrameFunctionalGroups)
    }
    let frame = frames[index]
    let measures = frame.group(.pixelMeasuresSequence)
    return PlaneElements(
      imagePosition: try required(.imagePosition, in: frame.group(.planePositionSequence)),
      imageOrientation: try required(.imageOrientation, in: frame.group(.planeOrientationSequence)),
      pixelSpacing: try required(.pixelSpacing, in: measures),
      sliceThickness: measures[.sliceThickness])
  }

  private func required(_ tag: Tag, in dataset: Dataset) throws(DICOMError) -> DataElement {
    guard let element = dataset[tag], !element.isEmpty else {
      throw .missingAttribute(file: path, tag: tag)
    }
    return element
  }
}

/// Position, orientation and spacing of a frame as its file stores them.
public struct PlaneElements: Sendable, Equatable {
  public var imagePosition: DataElement
  public var imageOrientation: DataElement
  public var pixelSpacing: DataElement
  public var sliceThickness: DataElement?
}
