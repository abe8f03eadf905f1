import StrictYAML
import Training

/// The section `augmentation`: changes to what nnU-Net does, or to nothing.
public struct AugmentationSettings: Decodable, Sendable, Equatable {
  /// What the other keys change.
  public enum Base: String, Sendable, CaseIterable { case nnUNet, none }

  public var base = Base.nnUNet
  /// The values of the keys that are stated.
  private var stated = AugmentationOptions()
  private var statedKeys: Set<String> = []

  private enum Keys: String, CodingKey, CaseIterable {
    case base, mirror, foreground, foregroundCentre, imageInterpolation, labelInterpolation
    case unchanged, rotation, scaling, deformation, beyondEnds, beyond, thinning, sliceShift
    case sliceBrightness, noise, blur, resolution, field, brightness, contrast, invertedGamma, gamma
  }

  /// nnU-Net's augmentation unchanged.
  public init() {}

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    base = try values.word(.base, or: .nnUNet)
    statedKeys = Set(values.allKeys.map(\.rawValue))
    stated.foreground = try values.number(.foreground, in: 0...1, or: 0)
    stated.foregroundCentre = try values.word(.foregroundCentre, or: .voxel)
    stated.imageInterpolation = try values.word(.imageInterpolation, or: .linear)
    stated.labelInterpolation = try values.word(.labelInterpolation, or: .linear)
    stated.unchanged = try values.number(.unchanged, in: 0...1, or: 0)
    stated.beyondEnds = try values.number(.beyondEnds, in: 0...0.9, or: 0)
    stated.mirror =
      try values.decodeIfPresent(AxisProbabilities.self, forKey: .mirror)?.values ?? []
    func change<Change: AugmentationSection>(_ key: Keys) throws -> Change? {
      try values.decodeIfPresent(SectionOrOff<Change>.self, forKey: key)?.section
    }
    stated.rotation = try change(.rotation)
    stated.scaling = try change(.scaling)
    stated.deformation = try change(.deformation)
    stated.beyond = try change(.beyond)
    stated.thinning = try change(.thinning)
    stated.sliceShift = try change(.sliceShift)
    stated.sliceBrightness = try change(.sliceBrightness)
    stated.noise = try change(.noise)
    stated.blur = try change(.blur)
    stated.resolution = try change(.resolution)
    stated.field = try change(.field)
    stated.brightness = try change(.brightness)
    stated.contrast = try change(.contrast)
    stated.invertedGamma = try change(.invertedGamma)
    stated.invertedGamma?.isInverted = true
    stated.gamma = try change(.gamma)
  }

  /// How patches are changed.
  ///
  /// - Parameter isAnisotropic: whether slices are so far apart that nnU-Net turns them only in their
  ///   plane.
  public func options(isAnisotropic: Bool) -> AugmentationOptions {
    var options = AugmentationOptions()
    if base == .nnUNet { options = .nnUNet(isAnisotropic: isAnisotropic) }
    func take<Value>(_ key: Keys, _ path: WritableKeyPath<AugmentationOptions, Value>) {
      if statedKeys.contains(key.rawValue) { options[keyPath: path] = stated[keyPath: path] }
    }
    take(.mirror, \.mirror)
    take(.foreground, \.foreground)
    take(.foregroundCentre, \.foregroundCentre)
    take(.imageInterpolation, \.imageInterpolation)
    take(.labelInterpolation, \.labelInterpolation)
    take(.unchanged, \.unchanged)
    take(.rotation, \.rotation)
    take(.scaling, \.scaling)
    take(.deformation, \.deformation)
    take(.beyondEnds, \.beyondEnds)
    take(.beyond, \.beyond)
    take(.thinning, \.thinning)
    take(.sliceShift, \.sliceShift)
    take(.sliceBrightness, \.sliceBrightness)
    take(.noise, \.noise)
    take(.blur, \.blur)
    take(.resolution, \.resolution)
    take(.field, \.field)
    take(.brightness, \.brightness)
    take(.contrast, \.contrast)
    take(.invertedGamma, \.invertedGamma)
    take(.gamma, \.gamma)
    return options
  }
}

/// Three probabilities, for z, y, x.
private struct AxisProbabilities: Decodable {
  var values: [Double]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    values = try container.decode([Double].self)
    guard values.count == 3, values.allSatisfy({ (0...1).contains($0) }) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "is not three probabilities from 0 to 1 (z, y, x)")
    }
  }
}

/// A change with its numbers, or `off`.
private struct SectionOrOff<Section: AugmentationSection>: Decodable {
  var section: Section?

  init(from decoder: any Decoder) throws {
    if let isOn = try? decoder.singleValueContainer().decode(Bool.self), !isOn { return }
    _ = try decoder.keys(known: Section.keys)
    section = try Section(AugmentationValues(try decoder.container(keyedBy: AnyKey.self)))
  }
}
