import Volumes

/// How two structures of a result are to each other in every body of the model's kind; one in which they
/// are otherwise carries a warning.
public struct LabelRelation: Sendable, Equatable, Codable {
  /// A direction of the patient, in which the centre of one structure is from that of another.
  public enum Direction: String, Sendable, Codable, CaseIterable {
    case rightOf, leftOf, above, below, inFrontOf, behind

    /// Along which of the axes to the left, to the back and to the head, and whether against it.
    fileprivate var axis: (index: Int, isAgainst: Bool) {
      switch self {
      case .leftOf: (0, false)
      case .rightOf: (0, true)
      case .behind: (1, false)
      case .inFrontOf: (1, true)
      case .above: (2, false)
      case .below: (2, true)
      }
    }

    var text: String {
      switch self {
      case .rightOf: "to the patient's right of"
      case .leftOf: "to the patient's left of"
      case .above: "above"
      case .below: "below"
      case .inFrontOf: "in front of"
      case .behind: "behind"
      }
    }
  }

  public enum Kind: Sendable, Equatable, Codable {
    case direction(Direction)
    /// Of the voxels next to the structure in its slices at least this part is of the other.
    case inside(leastPart: Double)
    /// The larger of the two has at most so many times the volume of the other.
    case similar(ratio: Double)
  }

  public var label: UInt8
  public var other: UInt8
  public var kind: Kind

  public init(label: UInt8, other: UInt8, kind: Kind) {
    self.label = label
    self.other = other
    self.kind = kind
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let names = Direction.allCases.map(\.rawValue) + ["inside", "similarTo"]
    let node = try node.allowing(["label", "leastPart", "ratio"] + names)
    func value(_ node: BundleNode) throws(ModelBundleError) -> UInt8 {
      UInt8(try node.integer(in: 1...max(1, classes - 1)))
    }
    label = try value(node.required("label"))
    let named = names.filter { node.optional($0) != nil }
    guard named.count == 1, let name = named.first, let otherNode = node.optional(name) else {
      throw node.invalid("does not name one of \(names.joined(separator: ", "))")
    }
    other = try value(otherNode)
    guard other != label else { throw otherNode.invalid("is the label itself") }
    switch name {
    case "inside":
      let part = try node.required("leastPart")
      let least = try part.number()
      guard least > 0, least <= 1 else { throw part.invalid("is not above 0 and up to 1") }
      kind = .inside(leastPart: least)
    case "similarTo":
      let ratioNode = try node.required("ratio")
      let ratio = try ratioNode.number()
      guard ratio >= 1 else { throw ratioNode.invalid("is less than 1") }
      kind = .similar(ratio: ratio)
    default: kind = .direction(Direction(rawValue: name) ?? .above)
    }
  }
}

extension LabelRelation {
  /// Compares a result with the rule.
  ///
  /// - Parameters:
  ///   - labels: the result, in the patient's space.
  ///   - places: of its labels; nil to look for them.
  ///   - names: of the labels.
  /// - Returns: what is unusual; nil also where one of the structures was not found.
  func check(
    _ labels: LabelVolume, _ places: LabelPlaces? = nil, names: [UInt8: String]
  ) -> ModelWarning? {
    let places = places ?? LabelPlaces(labels)
    let (own, others) = (places[label], places[other])
    guard own.voxels > 0, others.voxels > 0 else { return nil }
    let name = names[label] ?? "label \(label)"
    let otherName = names[other] ?? "label \(other)"
    switch kind {
    case .direction(let direction):
      let way = (own.centre - others.centre)[direction.axis.index]
      return (direction.axis.isAgainst ? -way : way) > 0
        ? nil : .misplaced(name: name, due: direction.text, other: otherName)
    case .inside(let least):
      let part = labels.enclosedPart(of: label, by: other)
      return part >= least
        ? nil : .notEnclosed(name: name, by: otherName, part: part, usual: least)
    case .similar(let ratio):
      let isLarger = own.voxels >= others.voxels
      let (larger, smaller) = isLarger ? (own.voxels, others.voxels) : (others.voxels, own.voxels)
      let found = Double(larger) / Double(smaller)
      guard found > ratio else { return nil }
      return .dissimilar(
        name: isLarger ? name : otherName, other: isLarger ? otherName : name, ratio: found,
        usual: ratio)
    }
  }
}

/// How many voxels each label of a result has, and their centre in mm.
struct LabelPlaces {
  private let places: [(voxels: Int, centre: SIMD3<Double>)]

  init(_ volume: LabelVolume) {
    var counts = [Int](repeating: 0, count: 256)
    var sums = [SIMD3<Double>](repeating: .zero, count: 256)
    let grid = volume.grid
    volume.labels.withUnsafeBufferPointer { labels in
      var voxel = 0
      for slice in 0..<grid.slices {
        for row in 0..<grid.rows {
          for column in 0..<grid.columns {
            let label = Int(labels[voxel])
            voxel += 1
            guard label != 0 else { continue }
            counts[label] += 1
            sums[label] += SIMD3(Double(column), Double(row), Double(slice))
          }
        }
      }
    }
    places = zip(counts, sums).map { count, sum in
      (voxels: count, centre: grid.affine.point(sum / Double(max(count, 1))))
    }
  }

  subscript(label: UInt8) -> (voxels: Int, centre: SIMD3<Double>) { places[Int(label)] }
}

extension LabelVolume {
  /// Of the steps in a slice from a voxel of one label to another voxel that is none of it, the part that
  /// leads to the other label.
  fileprivate func enclosedPart(of label: UInt8, by other: UInt8) -> Double {
    var (around, enclosed) = (0, 0)
    let (rows, columns) = (grid.rows, grid.columns)
    labels.withUnsafeBufferPointer { labels in
      for voxel in labels.indices where labels[voxel] == label {
        let (row, column) = (voxel / columns % rows, voxel % columns)
        for (isThere, step) in [
          (column > 0, -1), (column + 1 < columns, 1), (row > 0, -columns),
          (row + 1 < rows, columns),
        ] {
          let neighbour = isThere ? labels[voxel + step] : 0
          if neighbour != label { around += 1 }
          if neighbour == other { enclosed += 1 }
        }
      }
    }
    return around > 0 ? Double(enclosed) / Double(around) : 0
  }
}
