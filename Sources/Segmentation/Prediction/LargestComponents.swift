/// Removes all but the largest connected parts of a structure.
///
/// Voxels are connected over faces; parts as large as the largest are all kept (reference
/// implementation's post-processing, nnU-Net's).
public struct LargestComponents: Sendable, Equatable, Codable {
  /// Labels taken together as one structure.
  public var labels: [UInt8]
  /// Only smaller parts below this volume in mm³ are removed; nil removes all of them.
  public var removeBelow: Double?

  public init(labels: [UInt8], removeBelow: Double? = nil) {
    self.labels = labels
    self.removeBelow = removeBelow
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["labels", "removeBelow"])
    labels = []
    for item in try node.required("labels").items() {
      labels.append(UInt8(try item.integer(in: 1...max(1, classes - 1))))
    }
    removeBelow = try node.optional("removeBelow")?.number()
  }

  /// - Parameters:
  ///   - volume: labels by z, y, x, changed in place.
  ///   - shape: z, y, x.
  ///   - voxelVolume: mm³.
  func apply(_ volume: inout [UInt8], shape: [Int], voxelVolume: Double) {
    var components = Components(volume, of: Set(labels), shape: shape)
    let sizes = components.sizes()
    guard let most = sizes.values.max() else { return }
    let removed = sizes.filter { _, size in
      size != most && (removeBelow.map { Double(size) * voxelVolume < $0 } ?? true)
    }
    guard !removed.isEmpty else { return }
    for (index, run) in components.runs.enumerated()
    where removed[components.root(Int32(index))] != nil {
      for voxel in run.first...run.last { volume[voxel] = 0 }
    }
  }
}

/// The connected parts of a structure, kept as runs of voxels along x: memory for the structure's
/// surface and not for the volume.
struct Components {
  struct Run {
    /// Numbers of the first and the last voxel.
    var first: Int
    var last: Int
  }

  private(set) var runs: [Run] = []
  /// For each run one of the same part with a lower number, or itself.
  private var parents: [Int32] = []

  init(_ volume: [UInt8], of labels: Set<UInt8>, shape: [Int]) {
    let isWanted = (0...255).map { labels.contains(UInt8($0)) }
    let (height, width) = (shape[1], shape[2])
    /// The number of each row's first run.
    var starts: [Int] = []
    starts.reserveCapacity(shape[0] * height + 1)
    for row in 0..<shape[0] * height {
      starts.append(runs.count)
      findRuns(volume, row * width..<(row + 1) * width, isWanted)
      if row % height > 0 {
        join(starts[row - 1]..<starts[row], starts[row]..<runs.count, shift: width)
      }
      if row >= height {
        join(
          starts[row - height]..<starts[row - height + 1], starts[row]..<runs.count,
          shift: height * width)
      }
    }
  }

  private mutating func findRuns(_ volume: [UInt8], _ row: Range<Int>, _ isWanted: [Bool]) {
    volume.withUnsafeBufferPointer { volume in
      var voxel = row.lowerBound
      while voxel < row.upperBound {
        let first = voxel
        while voxel < row.upperBound, isWanted[Int(volume[voxel])] { voxel += 1 }
        if voxel > first {
          parents.append(Int32(runs.count))
          runs.append(Run(first: first, last: voxel - 1))
        }
        voxel += 1
      }
    }
  }

  /// Joins runs of two rows, `shift` voxels apart, that touch.
  private mutating func join(_ before: Range<Int>, _ here: Range<Int>, shift: Int) {
    var (a, b) = (before.lowerBound, here.lowerBound)
    while a < before.upperBound, b < here.upperBound {
      if runs[a].last + shift < runs[b].first {
        a += 1
      } else if runs[b].last < runs[a].first + shift {
        b += 1
      } else {
        let (one, other) = (root(Int32(a)), root(Int32(b)))
        parents[Int(max(one, other))] = min(one, other)
        if runs[a].last + shift < runs[b].last { a += 1 } else { b += 1 }
      }
    }
  }

  /// The part's first run.
  mutating func root(_ run: Int32) -> Int32 {
    var run = run
    while parents[Int(run)] != run {
      parents[Int(run)] = parents[Int(parents[Int(run)])]
      run = parents[Int(run)]
    }
    return run
  }

  /// The voxels of each part, by its first run.
  mutating func sizes() -> [Int32: Int] {
    var sizes: [Int32: Int] = [:]
    for index in runs.indices {
      sizes[root(Int32(index)), default: 0] += runs[index].last - runs[index].first + 1
    }
    return sizes
  }
}
