import Foundation
import Volumes

/// The size of a structure in training; a result beyond it carries a warning or is refused.
public struct OutputLimit: Sendable, Equatable, Codable {
  /// What makes a result one of another anatomy.
  public struct Accepted: Sendable, Equatable, Codable {
    /// Volume in millilitres, least and most.
    public var millilitres: [Double]
    /// The least part of the voxels that are in the largest part connected over faces.
    public var largestPart: Double

    public init(millilitres: [Double], largestPart: Double) {
      self.millilitres = millilitres
      self.largestPart = largestPart
    }
  }

  public var label: UInt8
  /// Volume in millilitres, least and most; a least one of 0 says that the structure may be absent.
  public var millilitres: [Double]
  /// The least part of the voxels that are in the largest part connected over faces.
  public var largestPart: Double
  /// Beyond it the input is refused; nil refuses nothing.
  public var accepted: Accepted?
  /// Most parts connected over faces that the result has; nil for any number.
  public var parts: Int?
  /// The least compactness of the result, from 0 to 1: see ``compactness(in:)``. nil for any.
  public var compactness: Double?

  public init(
    label: UInt8, millilitres: [Double], largestPart: Double, accepted: Accepted? = nil,
    parts: Int? = nil, compactness: Double? = nil
  ) {
    self.parts = parts
    self.compactness = compactness
    self.label = label
    self.millilitres = millilitres
    self.largestPart = largestPart
    self.accepted = accepted
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing([
      "label", "millilitres", "largestPart", "accepted", "parts", "compactness",
    ])
    label = UInt8(try node.required("label").integer(in: 1...max(1, classes - 1)))
    (millilitres, largestPart) = try Self.size(node)
    accepted = nil
    parts = try node.optional("parts")?.integer(in: 1...1_000_000)
    compactness = try node.optional("compactness")?.number()
    if let compactness, !(0...1).contains(compactness) {
      throw try node.required("compactness").invalid("is not from 0 to 1")
    }
    if let acceptedNode = node.optional("accepted") {
      let size = try Self.size(acceptedNode.allowing(["millilitres", "largestPart"]))
      guard size.0[0] <= millilitres[0], millilitres[1] <= size.0[1], size.1 <= largestPart
      else { throw acceptedNode.invalid("accepts less than is usual") }
      accepted = Accepted(millilitres: size.0, largestPart: size.1)
    }
  }

  private static func size(_ node: BundleNode) throws(ModelBundleError) -> ([Double], Double) {
    let part = try node.required("largestPart")
    let least = try part.number()
    guard (0...1).contains(least) else { throw part.invalid("is not from 0 to 1") }
    return (try node.required("millilitres").range(), least)
  }

  /// The part of a label's voxels that are in its largest connected part; nil where it has none.
  func largestPart(in labels: LabelVolume) -> Double? {
    var components = Components(labels.labels, of: [label], shape: labels.grid.shape)
    let sizes = components.sizes().values
    guard let most = sizes.max() else { return nil }
    return Double(most) / Double(sizes.reduce(0, +))
  }

  /// How many parts connected over faces a label's voxels are in.
  func partCount(in labels: LabelVolume) -> Int {
    var components = Components(labels.labels, of: [label], shape: labels.grid.shape)
    return components.sizes().count
  }

  /// The surface of the ball of a label's volume by the surface of its voxels' faces, in mm²: about 0.67 of a
  /// ball, 0.81 of a cube, and little of what is thin, ragged or in many parts; nil where it has no voxel.
  func compactness(in labels: LabelVolume) -> Double? {
    let shape = labels.grid.shape
    let spacing = labels.grid.spacing
    let strides = [shape[1] * shape[2], shape[2], 1]
    var (count, faces) = (0, [0, 0, 0])
    labels.labels.withUnsafeBufferPointer { voxels in
      for index in voxels.indices where voxels[index] == label {
        count += 1
        for axis in 0..<3 {
          let place = index / strides[axis] % shape[axis]
          if place == 0 || voxels[index - strides[axis]] != label { faces[axis] += 1 }
          if place == shape[axis] - 1 || voxels[index + strides[axis]] != label {
            faces[axis] += 1
          }
        }
      }
    }
    guard count > 0 else { return nil }
    let volume = Double(count) * spacing.reduce(1, *)
    let surface = (0..<3).reduce(0.0) {
      $0 + Double(faces[$1]) * spacing.reduce(1, *) / spacing[$1]
    }
    return cbrt(36 * Double.pi * volume * volume) / surface
  }
}
