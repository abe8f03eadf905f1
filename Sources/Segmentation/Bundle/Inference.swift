extension ModelBundle {
  /// How patches are laid over an image, and how their probabilities become labels.
  public struct Inference: Sendable, Equatable, Codable {
    /// Distance of patches as a part of their size.
    public var step: Double
    /// The axes (0, 1, 2 for z, y, x) along which each patch is also seen mirrored.
    public var mirrorAxes: [Int]
    public var throughPlane: ThroughPlaneInterpolation

    public init(
      step: Double, mirrorAxes: [Int], throughPlane: ThroughPlaneInterpolation = .nearest
    ) {
      self.step = step
      self.mirrorAxes = mirrorAxes
      self.throughPlane = throughPlane
    }
  }
}

extension ModelBundle.Inference {
  init(_ node: BundleNode) throws(ModelBundleError) {
    let node = try node.allowing(["step", "mirrorAxes", "throughPlane"])
    step = try node.required("step").number()
    guard step > 0, step <= 1 else { throw try node.required("step").invalid("is not in (0, 1]") }
    mirrorAxes = []
    let axes = try node.required("mirrorAxes")
    for item in try axes.items() { mirrorAxes.append(try item.integer(in: 0...2)) }
    guard Set(mirrorAxes).count == mirrorAxes.count else { throw axes.invalid("repeats an axis") }
    throughPlane = .nearest
    if let choice = node.optional("throughPlane") {
      guard let known = ThroughPlaneInterpolation(rawValue: try choice.text()) else {
        throw choice.invalid("is neither nearest nor linear")
      }
      throughPlane = known
    }
  }
}
