/// The attributes of one frame, wherever the instance keeps them: at the top of a classic instance,
/// in the per-frame or else the shared functional groups of a multi-frame one (PS3.3 C.7.6.16), or
/// at the top of a multi-frame instance that some scanners write so.
struct FrameAttributes {
  private let top: Dataset
  let perFrame: Dataset?
  private let shared: Dataset

  init(classic: Dataset) {
    top = classic
    perFrame = nil
    shared = Dataset()
  }

  init(perFrame: Dataset, shared: Dataset, top: Dataset) {
    self.top = top
    self.perFrame = perFrame
    self.shared = shared
  }

  /// The dataset that holds an attribute with a value: a functional group's item, or the top.
  func dataset(with tag: Tag, in sequence: Tag) -> Dataset {
    let groups = [perFrame, shared].compactMap { $0?.items(sequence).first }
    return (groups + [top]).first { $0[tag]?.isEmpty == false } ?? Dataset()
  }

  func text(_ tag: Tag, in sequence: Tag) -> String? {
    dataset(with: tag, in: sequence).text(tag)
  }

  func texts(_ tag: Tag, in sequence: Tag) -> [String] {
    dataset(with: tag, in: sequence).texts(tag)
  }

  func integer(_ tag: Tag, in sequence: Tag) -> Int? {
    dataset(with: tag, in: sequence).integer(tag)
  }

  func integers(_ tag: Tag, in sequence: Tag) -> [Int] {
    dataset(with: tag, in: sequence).integers(tag)
  }

  func real(_ tag: Tag, in sequence: Tag) -> Double? {
    dataset(with: tag, in: sequence).real(tag)
  }

  func reals(_ tag: Tag, in sequence: Tag) -> [Double] {
    dataset(with: tag, in: sequence).reals(tag)
  }

  /// The first item of a sequence within a functional group.
  func item(_ tag: Tag, in sequence: Tag) -> Dataset {
    dataset(with: tag, in: sequence).items(tag).first ?? Dataset()
  }
}

extension DICOMFile {
  /// Whether frames are described by functional groups.
  var hasFunctionalGroups: Bool {
    !dataset.items(.perFrameFunctionalGroups).isEmpty
      || !dataset.items(.sharedFunctionalGroups).isEmpty
  }

  /// The attributes of every frame, in order.
  ///
  /// - Throws: ``DICOMError`` where a multi-frame instance does not describe each of its frames.
  func frameAttributes() throws(DICOMError) -> [FrameAttributes] {
    let count = try frameCount()
    guard hasFunctionalGroups else {
      guard count == 1 else {
        let sopClass = dataset.text(.sopClassUID) ?? ""
        guard sopClass.isEmpty || ImageStorage.sopClasses.contains(sopClass) else {
          throw .unsupportedSOPClass(file: path, uid: sopClass)
        }
        throw .missingAttribute(file: path, tag: .perFrameFunctionalGroups)
      }
      return [FrameAttributes(classic: dataset)]
    }
    let perFrame = dataset.items(.perFrameFunctionalGroups)
    let shared = dataset.items(.sharedFunctionalGroups).first ?? Dataset()
    // A single frame has nothing that it does not share.
    if perFrame.isEmpty, count == 1 {
      return [FrameAttributes(perFrame: Dataset(), shared: shared, top: dataset)]
    }
    guard perFrame.count == count else {
      throw .invalidAttribute(
        file: path, tag: .numberOfFrames,
        value: "\(count), but \(perFrame.count) frames are described")
    }
    return perFrame.map { FrameAttributes(perFrame: $0, shared: shared, top: dataset) }
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
    func required(_ tag: Tag, _ sequence: Tag) throws(DICOMError) -> DataElement {
      guard let element = frame.dataset(with: tag, in: sequence)[tag] else {
        throw .missingAttribute(file: path, tag: tag)
      }
      return element
    }
    return PlaneElements(
      imagePosition: try required(.imagePosition, .planePositionSequence),
      imageOrientation: try required(.imageOrientation, .planeOrientationSequence),
      pixelSpacing: try required(.pixelSpacing, .pixelMeasuresSequence),
      sliceThickness: frame.dataset(with: .sliceThickness, in: .pixelMeasuresSequence)[
        .sliceThickness])
  }
}

/// Position, orientation and spacing of a frame as its file stores them.
public struct PlaneElements: Sendable, Equatable {
  public var imagePosition: DataElement
  public var imageOrientation: DataElement
  public var pixelSpacing: DataElement
  public var sliceThickness: DataElement?
}
