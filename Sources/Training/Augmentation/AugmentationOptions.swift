import Foundation

/// How patches are drawn and changed. What is nil does not happen and draws no random number.
public struct AugmentationOptions: Sendable, Equatable {
  /// Where the centre of a patch that must show labelled voxels is.
  public enum ForegroundCentre: String, Sendable, Codable, CaseIterable {
    /// On a voxel of a class chosen by lot, so that small classes are seen as often as large ones.
    case voxel
    /// Anywhere in the box that holds all labelled voxels.
    case box
  }

  public enum ImageInterpolation: String, Sendable, Codable, CaseIterable {
    case linear
    /// Cubic convolution through the voxels (Catmull and Rom).
    case cubic
  }

  public enum LabelInterpolation: String, Sendable, Codable, CaseIterable {
    case nearest
    /// Each class by itself: a voxel that the classes together fill by more than half belongs to
    /// the one that fills most of it.
    case linear
  }

  /// The probability that the patch is mirrored along z, y, x.
  public var mirror = [0.0, 0.0, 0.0]
  /// The share of the samples, spread evenly over the steps, that must show labelled voxels.
  public var foreground = 1.0 / 3
  public var foregroundCentre = ForegroundCentre.voxel
  public var imageInterpolation = ImageInterpolation.linear
  public var labelInterpolation = LabelInterpolation.linear
  /// The probability that neither rotation, scaling nor deformation is tried.
  public var unchanged = 0.0

  public var rotation: Rotation?
  public var scaling: Scaling?
  public var deformation: Deformation?

  /// Of stacks of thick slices: the part of the patch's height that may be empty above or below.
  public var beyondEnds = 0.0
  public var beyond: BeyondStack?
  public var thinning: Thinning?
  public var sliceShift: SliceShift?
  public var sliceBrightness: SliceBrightness?

  public var noise: GaussianNoise?
  public var blur: GaussianBlur?
  public var resolution: LowResolution?
  public var field: BiasField?
  public var brightness: Brightness?
  public var contrast: Contrast?
  public var invertedGamma: Gamma?
  public var gamma: Gamma?

  /// Nothing but the choice of the patch's place.
  public init() {}

  /// In this order.
  var intensityChanges: [any IntensityChange] {
    let all: [(any IntensityChange)?] = [
      noise, blur, resolution, field, brightness, contrast, invertedGamma, gamma,
    ]
    return all.compactMap(\.self)
  }

  /// nnU-Net's for three dimensions (its version 1, `default_3D_augmentation_params` with the
  /// reference's angles); elastic deformation is off there, too.
  ///
  /// - Parameter isAnisotropic: whether slices are so far apart that they are only turned in their
  ///   plane (nnU-Net's `do_dummy_2D_data_aug`).
  public static func nnUNet(isAnisotropic: Bool) -> AugmentationOptions {
    var options = AugmentationOptions()
    options.mirror = [0.5, 0.5, 0.5]
    options.imageInterpolation = .cubic
    options.rotation =
      isAnisotropic
      ? Rotation(probability: 0.2, degrees: 180) : Rotation(probability: 0.2, degrees: 30, tilt: 30)
    options.scaling = Scaling(probability: 0.2, factor: 0.7...1.4)
    let axes = isAnisotropic ? [1, 2] : [0, 1, 2]
    options.noise = GaussianNoise(probability: 0.1, deviation: 0...0.1)
    options.blur = GaussianBlur(probability: 0.1, sigma: 0.5...1, axes: axes)
    options.resolution = LowResolution(probability: 0.125, factor: 0.5...1, axes: axes)
    options.brightness = Brightness(probability: 0.15, factor: 0.75...1.25)
    options.contrast = Contrast(probability: 0.15, factor: 0.75...1.25)
    options.invertedGamma = Gamma(probability: 0.1, exponent: 0.7...1.5, isInverted: true)
    options.gamma = Gamma(probability: 0.3, exponent: 0.7...1.5)
    return options
  }
}
