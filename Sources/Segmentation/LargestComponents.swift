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
    let components = connectedComponents(volume, of: Set(labels), shape: shape)
    guard let most = components.sizes.max() else { return }
    let isRemoved = components.sizes.map { size in
      size != most && (removeBelow.map { Double(size) * voxelVolume < $0 } ?? true)
    }
    guard isRemoved.contains(true) else { return }
    volume.withUnsafeMutableBufferPointer { volume in
      components.component.withUnsafeBufferPointer { component in
        for index in volume.indices
        where component[index] > 0 && isRemoved[Int(component[index]) - 1] {
          volume[index] = 0
        }
      }
    }
  }
}

/// For each voxel the number of its component from 1, 0 outside; and each component's voxels.
private func connectedComponents(_ volume: [UInt8], of labels: Set<UInt8>, shape: [Int])
  -> (component: [Int32], sizes: [Int])
{
  let isWanted = (0...255).map { labels.contains(UInt8($0)) }
  let (depth, height, width) = (shape[0], shape[1], shape[2])
  let plane = height * width
  var component = [Int32](repeating: 0, count: volume.count)
  var sizes: [Int] = []
  var open: [Int] = []
  volume.withUnsafeBufferPointer { volume in
    component.withUnsafeMutableBufferPointer { component in
      func visit(_ index: Int) {
        guard component[index] == 0, isWanted[Int(volume[index])] else { return }
        component[index] = Int32(sizes.count)
        sizes[sizes.count - 1] += 1
        open.append(index)
      }
      for start in volume.indices where component[start] == 0 && isWanted[Int(volume[start])] {
        sizes.append(0)
        visit(start)
        while let index = open.popLast() {
          if index >= plane { visit(index - plane) }
          if index / plane < depth - 1 { visit(index + plane) }
          if index / width % height > 0 { visit(index - width) }
          if index / width % height < height - 1 { visit(index + width) }
          if index % width > 0 { visit(index - 1) }
          if index % width < width - 1 { visit(index + 1) }
        }
      }
    }
  }
  return (component, sizes)
}
