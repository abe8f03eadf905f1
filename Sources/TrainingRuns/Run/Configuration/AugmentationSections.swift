import StrictYAML
import Training

/// A change that is read from YAML.
protocol AugmentationSection {
  static var keys: [String] { get }
  init(_ values: AugmentationValues) throws
}

/// Reads the numbers of a change.
struct AugmentationValues {
  private let container: KeyedDecodingContainer<AnyKey>

  init(_ container: KeyedDecodingContainer<AnyKey>) { self.container = container }

  func probability() throws -> Double { try number("probability", in: 0...1) }

  func number<Value: Decodable & Comparable>(
    _ name: String, in range: ClosedRange<Value>, or fallback: Value? = nil
  ) throws -> Value {
    try container.number(AnyKey(stringValue: name), in: range, or: fallback)
  }

  /// Two numbers, the smaller first.
  func range(
    _ name: String, in bounds: ClosedRange<Double>, or fallback: ClosedRange<Double>? = nil
  ) throws -> ClosedRange<Double> {
    let key = AnyKey(stringValue: name)
    if let fallback, !container.contains(key) { return fallback }
    let values = try container.decode([Double].self, forKey: key)
    guard values.count == 2, values[0] <= values[1], bounds.contains(values[0]),
      bounds.contains(values[1])
    else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: container,
        debugDescription: "is not two numbers, the smaller first, from \(bounds.lowerBound) to "
          + "\(bounds.upperBound)")
    }
    return values[0]...values[1]
  }

  /// Numbers of axes: 0, 1, 2 for z, y, x.
  func axes(_ name: String) throws -> [Int] {
    let key = AnyKey(stringValue: name)
    guard let axes = try container.decodeIfPresent([Int].self, forKey: key) else {
      return [0, 1, 2]
    }
    guard Set(axes).count == axes.count, axes.allSatisfy({ (0...2).contains($0) }), !axes.isEmpty
    else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: container, debugDescription: "is not a list of different axes 0, 1, 2")
    }
    return axes
  }
}

// The keys of each change, and what they may be.

extension Rotation: AugmentationSection {
  static var keys: [String] { ["probability", "degrees", "tilt"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), degrees: try values.number("degrees", in: 0...180),
      tilt: try values.number("tilt", in: 0...180, or: 0))
  }
}

extension Scaling: AugmentationSection {
  static var keys: [String] { ["probability", "factor", "stretch", "alongZ"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), factor: try values.range("factor", in: 0.1...10),
      stretch: try values.range("stretch", in: 0.1...10, or: 1...1),
      alongZ: try values.range("alongZ", in: 0.1...10, or: 1...1))
  }
}

extension Deformation: AugmentationSection {
  static var keys: [String] { ["probability", "spacing", "deviation"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), spacing: try values.number("spacing", in: 2...512),
      deviation: try values.range("deviation", in: 0...1000))
  }
}

extension BeyondStack: AugmentationSection {
  static var keys: [String] { ["probability", "slices"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), slices: try values.number("slices", in: 1...100))
  }
}

extension Thinning: AugmentationSection {
  static var keys: [String] { ["probability"] }

  init(_ values: AugmentationValues) throws {
    self.init(probability: try values.probability())
  }
}

extension SliceShift: AugmentationSection {
  static var keys: [String] { ["probability", "deviation"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), deviation: try values.number("deviation", in: 0...100))
  }
}

extension SliceBrightness: AugmentationSection {
  static var keys: [String] { ["probability", "deviation"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), deviation: try values.number("deviation", in: 0...1))
  }
}

extension GaussianNoise: AugmentationSection {
  static var keys: [String] { ["probability", "deviation"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(),
      deviation: try values.range("deviation", in: 0...100))
  }
}

extension GaussianBlur: AugmentationSection {
  static var keys: [String] { ["probability", "sigma", "axes"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), sigma: try values.range("sigma", in: 0...50),
      axes: try values.axes("axes"))
  }
}

extension LowResolution: AugmentationSection {
  static var keys: [String] { ["probability", "factor", "axes"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), factor: try values.range("factor", in: 0.01...1),
      axes: try values.axes("axes"))
  }
}

extension BiasField: AugmentationSection {
  static var keys: [String] { ["probability", "strength"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), strength: try values.range("strength", in: 0...10))
  }
}

extension Brightness: AugmentationSection {
  static var keys: [String] { ["probability", "factor", "offset"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), factor: try values.range("factor", in: 0.01...100),
      offset: try values.number("offset", in: 0...100, or: 0))
  }
}

extension Contrast: AugmentationSection {
  static var keys: [String] { ["probability", "factor"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), factor: try values.range("factor", in: 0.01...100))
  }
}

extension Gamma: AugmentationSection {
  static var keys: [String] { ["probability", "exponent"] }

  init(_ values: AugmentationValues) throws {
    self.init(
      probability: try values.probability(), exponent: try values.range("exponent", in: 0.01...100))
  }
}
