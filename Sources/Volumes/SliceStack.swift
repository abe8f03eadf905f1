/// Frames of one series that form one volume, ordered along the slice axis of `grid`.
public struct SliceStack: Sendable, Equatable, Codable {
  /// The regular grid of the volume. Its slice axis is the exact step between slices, so that a
  /// tilted gantry appears as shear.
  public var grid: VolumeGrid
  /// The source images. `frames[k]` is at slice index k of `grid`, or at `sliceIndices[k]`.
  public var frames: [ImageFrame]
  /// The attributes and values that tell this volume from others of its series; empty when alone.
  public var splitBy: [String: String]
  /// Where each frame is along the slice axis of `grid`, ascending; nil where frame k is at k.
  /// Whole numbers with gaps where missing slices are filled, fractions where steps are uneven.
  public var sliceIndices: [Double]?

  public init(
    grid: VolumeGrid, frames: [ImageFrame], splitBy: [String: String] = [:],
    sliceIndices: [Double]? = nil
  ) {
    self.grid = grid
    self.frames = frames
    self.splitBy = splitBy
    self.sliceIndices = sliceIndices
  }

  /// The grid of arrays that hold one slice for each frame. It is `grid` but where frames are
  /// missing or uneven: then its slice step is their mean, and only the frames say where they are.
  public var sourceGrid: VolumeGrid {
    guard let sliceIndices, let last = sliceIndices.last else { return grid }
    var source = grid
    source.slices = frames.count
    source.affine.slice *= last / Double(max(frames.count - 1, 1))
    return source
  }

  /// The volume's name among those of its series: `splitBy` as one line; empty when alone.
  public var name: String { Self.name(of: splitBy) }

  package static func name(of splitBy: [String: String]) -> String {
    splitBy.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
  }

  /// Whether all frames name one and the same frame of reference.
  public var hasFrameOfReference: Bool {
    guard let first = frames.first?.frameOfReferenceUID, isUID(first) else { return false }
    return frames.allSatisfy { $0.frameOfReferenceUID == first }
  }

  /// How far in mm along the normal each frame reaches, half-way to its neighbours.
  public var sliceDepths: [Double] {
    let step = grid.affine.stepAlongNormal
    guard let indices = sliceIndices, indices.count > 1 else {
      return frames.map { _ in step }
    }
    return indices.indices.map { k in
      let below = k > 0 ? indices[k] - indices[k - 1] : indices[1] - indices[0]
      let above =
        k + 1 < indices.count ? indices[k + 1] - indices[k] : indices[k] - indices[k - 1]
      return (below + above) / 2 * step
    }
  }
}

extension Affine {
  /// Direction of slices: a row's direction × a column's direction, of length one.
  public var normal: SIMD3<Double> {
    let product = cross(column, row)
    return product / max(length(product), .leastNormalMagnitude)
  }

  /// Distance in mm between neighbouring slice planes.
  public var stepAlongNormal: Double { abs(dot(slice, normal)) }
}
