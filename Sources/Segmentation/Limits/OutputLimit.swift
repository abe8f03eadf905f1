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
  /// Volume in millilitres, least and most.
  public var millilitres: [Double]
  /// The least part of the voxels that are in the largest part connected over faces.
  public var largestPart: Double
  /// Beyond it the input is refused; nil refuses nothing.
  public var accepted: Accepted?

  public init(
    label: UInt8, millilitres: [Double], largestPart: Double, accepted: Accepted? = nil
  ) {
    self.label = label
    self.millilitres = millilitres
    self.largestPart = largestPart
    self.accepted = accepted
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["label", "millilitres", "largestPart", "accepted"])
    label = UInt8(try node.required("label").integer(in: 1...max(1, classes - 1)))
    (millilitres, largestPart) = try Self.size(node)
    accepted = nil
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
}
