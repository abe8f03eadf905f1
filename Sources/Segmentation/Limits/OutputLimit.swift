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

  /// - Parameters:
  ///   - labels: the result.
  ///   - part: ``largestPart(in:)`` of the result before smaller parts were removed.
  ///   - name: of the label.
  /// - Returns: what is unusual.
  /// - Throws: ``InputRefusal/result(name:millilitres:largestPart:accepted:)``
  func check(
    _ labels: LabelVolume, largestPart part: Double?, name: String
  ) throws(InputRefusal) -> ModelWarning? {
    let count = labels.labels.count { $0 == label }
    let volume = Double(count) * labels.grid.spacing.reduce(1, *) / 1000
    if let accepted {
      guard volume >= accepted.millilitres[0], volume <= accepted.millilitres[1],
        part ?? 0 >= accepted.largestPart
      else {
        throw .result(
          name: name, millilitres: volume, largestPart: part ?? 0, accepted: accepted)
      }
    }
    guard count > 0, let part else { return .notFound(name: name) }
    if volume < millilitres[0] || volume > millilitres[1] {
      return .volume(name: name, millilitres: volume, usual: millilitres)
    }
    return part < largestPart
      ? .scattered(name: name, largestPart: part, usual: largestPart) : nil
  }
}
