import Volumes

/// The usual size of a structure; a result beyond it carries a warning.
public struct OutputLimit: Sendable, Equatable, Codable {
  public var label: UInt8
  /// Volume in millilitres, least and most.
  public var millilitres: [Double]
  /// The least part of the voxels that are in the largest part connected over faces.
  public var largestPart: Double

  public init(label: UInt8, millilitres: [Double], largestPart: Double) {
    self.label = label
    self.millilitres = millilitres
    self.largestPart = largestPart
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["label", "millilitres", "largestPart"])
    label = UInt8(try node.required("label").integer(in: 1...max(1, classes - 1)))
    millilitres = try node.required("millilitres").range()
    let part = try node.required("largestPart")
    largestPart = try part.number()
    guard (0...1).contains(largestPart) else { throw part.invalid("is not from 0 to 1") }
  }

  func warning(_ labels: LabelVolume, name: String) -> ModelWarning? {
    var components = Components(labels.labels, of: [label], shape: labels.grid.shape)
    let sizes = components.sizes().values
    let count = sizes.reduce(0, +)
    guard count > 0, let most = sizes.max() else { return .notFound(name: name) }
    let volume = Double(count) * labels.grid.spacing.reduce(1, *) / 1000
    if volume < millilitres[0] || volume > millilitres[1] {
      return .volume(name: name, millilitres: volume, usual: millilitres)
    }
    let part = Double(most) / Double(count)
    return part < largestPart
      ? .scattered(name: name, largestPart: part, usual: largestPart) : nil
  }
}
