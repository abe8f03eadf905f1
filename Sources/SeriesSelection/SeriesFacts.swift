/// A value that a series has for an attribute.
public enum SeriesValue: Sendable, Equatable {
  case codes([String])
  case text(String)
  case numbers([Double])
  case flag(Bool)
}

extension SeriesValue: Codable {
  /// The bare value: a list of texts or numbers, a text, a truth.
  public func encode(to encoder: any Encoder) throws {
    var single = encoder.singleValueContainer()
    switch self {
    case .codes(let codes): try single.encode(codes)
    case .text(let text): try single.encode(text)
    case .numbers(let numbers): try single.encode(numbers)
    case .flag(let flag): try single.encode(flag)
    }
  }

  public init(from decoder: any Decoder) throws {
    let single = try decoder.singleValueContainer()
    if let flag = try? single.decode(Bool.self) {
      self = .flag(flag)
    } else if let text = try? single.decode(String.self) {
      self = .text(text)
    } else if let numbers = try? single.decode([Double].self) {
      self = .numbers(numbers)
    } else {
      self = .codes(try single.decode([String].self))
    }
  }
}

/// What a series says about itself, as far as criteria ask. Nothing in it names the patient.
public struct SeriesFacts: Sendable, Equatable, Codable {
  public var seriesInstanceUID: String
  public var seriesNumber: Int?
  /// Images that the facts were gathered from.
  public var imageCount: Int
  /// The volumes that may be segmented, where they were assessed.
  public var volumes: [VolumeFacts] = []
  private var values: [SeriesAttribute: SeriesValue] = [:]

  public init(seriesInstanceUID: String, seriesNumber: Int? = nil, imageCount: Int = 0) {
    self.seriesInstanceUID = seriesInstanceUID
    self.seriesNumber = seriesNumber
    self.imageCount = imageCount
  }

  /// The value of an attribute, nil where the series has none.
  public subscript(attribute: SeriesAttribute) -> SeriesValue? {
    get { values[attribute] }
    set { values[attribute] = newValue }
  }

  /// The first number of an attribute.
  func number(_ attribute: SeriesAttribute) -> Double? {
    guard case .numbers(let numbers) = values[attribute] else { return nil }
    return numbers.first
  }
}

extension SeriesFacts {
  /// Sets what follows from the places of the slices, which may be in any order.
  ///
  /// - Parameters:
  ///   - normal: unit vector across the slices in patient space (LPS).
  ///   - distances: along the normal in mm, one for each image; images closer than 0.01 mm share a
  ///     place. Empty where not every image is known.
  public mutating func setGeometry(normal: SIMD3<Double>, distances: [Double]) {
    self[.orientation] = .codes([Self.orientation(normal)])
    var places: [Double] = []
    var images: [Double] = []
    for distance in distances.sorted() {
      if let last = places.last, distance - last <= 0.01 {
        images[images.count - 1] += 1
      } else {
        places.append(distance)
        images.append(1)
      }
    }
    guard !places.isEmpty else { return }
    self[.slices] = .numbers([Double(places.count)])
    self[.imagesPerSlice] = .numbers([images.sorted()[(images.count - 1) / 2]])
    let steps = zip(places.dropFirst(), places).map { $0 - $1 }.sorted()
    guard let first = places.first, let last = places.last, !steps.isEmpty else { return }
    let median = steps[(steps.count - 1) / 2]
    self[.sliceSpacing] = .numbers([median])
    self[.coverage] = .numbers([last - first + median])
  }

  private static func orientation(_ normal: SIMD3<Double>) -> String {
    let names = ["SAGITTAL", "CORONAL", "AXIAL"]
    // cos 30°: two axes cannot both be so near.
    return names.indices.first { abs(normal[$0]) >= 0.866 }.map { names[$0] } ?? "OBLIQUE"
  }
}
