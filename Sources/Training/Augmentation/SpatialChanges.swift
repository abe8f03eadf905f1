import Foundation

/// Turns the patch.
public struct Rotation: Sendable, Equatable {
  public var probability: Double
  /// The largest angle in the plane of y and x, in degrees.
  public var degrees: Double
  /// The largest angle out of that plane, about y and about x; stacks of thick slices are not tilted.
  public var tilt: Double

  public init(probability: Double, degrees: Double, tilt: Double = 0) {
    self.probability = probability
    self.degrees = degrees
    self.tilt = tilt
  }

  /// The turn, as columns for z, y, x.
  func drawn(using generator: inout CounterGenerator) -> AxisVectors {
    var result = AxisVectors.identity
    for (limit, plane) in [(degrees, (1, 2)), (tilt, (0, 2)), (tilt, (0, 1))] {
      let angle = generator.uniform(in: -limit...limit) * .pi / 180
      result = result.turned(angle, plane.0, plane.1)
    }
    return result
  }
}

/// Enlarges or reduces what the patch shows.
public struct Scaling: Sendable, Equatable {
  public var probability: Double
  /// Voxels of the image for one of the patch, along all axes.
  public var factor: ClosedRange<Double>
  /// Another factor of each axis.
  public var stretch: ClosedRange<Double>
  /// Of stacks of thick slices: the factor along z.
  public var alongZ: ClosedRange<Double>

  public init(
    probability: Double, factor: ClosedRange<Double>, stretch: ClosedRange<Double> = 1...1,
    alongZ: ClosedRange<Double> = 1...1
  ) {
    self.probability = probability
    self.factor = factor
    self.stretch = stretch
    self.alongZ = alongZ
  }
}

/// Shifts of slices against each other in the plane, as breath-holds shift them.
public struct SliceShift: Sendable, Equatable {
  public var probability: Double
  /// The standard deviation along y and x, in voxels.
  public var deviation: Double

  public init(probability: Double, deviation: Double) {
    self.probability = probability
    self.deviation = deviation
  }
}

/// A brightness of its own for each slice of a stack, counted from the darkest voxel.
public struct SliceBrightness: Sendable, Equatable {
  public var probability: Double
  /// The standard deviation of the factor's logarithm.
  public var deviation: Double

  public init(probability: Double, deviation: Double) {
    self.probability = probability
    self.deviation = deviation
  }
}

/// The steps in the image (z, y, x) that a step along each axis of the patch makes.
struct AxisVectors: Equatable {
  var z: SIMD3<Double>
  var y: SIMD3<Double>
  var x: SIMD3<Double>

  static let identity = AxisVectors(z: [1, 0, 0], y: [0, 1, 0], x: [0, 0, 1])

  subscript(axis: Int) -> SIMD3<Double> {
    get { axis == 0 ? z : axis == 1 ? y : x }
    set {
      switch axis {
      case 0: z = newValue
      case 1: y = newValue
      default: x = newValue
      }
    }
  }

  /// A rotation in the plane of two axes, then this map.
  func turned(_ angle: Double, _ first: Int, _ second: Int) -> AxisVectors {
    var result = self
    result[first] = cos(angle) * self[first] + sin(angle) * self[second]
    result[second] = cos(angle) * self[second] - sin(angle) * self[first]
    return result
  }

  /// Where an offset in the patch leads.
  func callAsFunction(_ offset: SIMD3<Double>) -> SIMD3<Double> {
    offset.x * z + offset.y * y + offset.z * x
  }
}
