/// An image with its labels, ready for patches to be drawn from it.
public struct TrainingVolume: Sendable, Equatable {
  /// z, y, x.
  public let shape: [Int]
  public let channels: Int
  /// Normalised intensities: channel, z, y, x.
  public let image: [Float]
  /// Classes 0..<K: z, y, x.
  public let labels: [UInt8]
  /// Of a stack of thick slices, which are repeated or left out along z: how many there are for each
  /// plane of the network's input. nil where voxels are the network's along all axes.
  public let slicesPerPlane: Double?
  /// The least box along z, y, x that holds all labelled voxels; nil where there is none.
  public let foreground: [ClosedRange<Int>]?
  /// Of each class but the background that is present, numbers of voxels: all, or some thousands
  /// at regular distances.
  public let voxels: [[Int32]]
  /// The least value of each channel.
  let least: [Float]

  /// - Parameters:
  ///   - shape: along z, y, x.
  ///   - image: as many values as channels and voxels.
  ///   - labels: one for each voxel.
  ///   - slicesPerPlane: see the property.
  public init(shape: [Int], image: [Float], labels: [UInt8], slicesPerPlane: Double? = nil) {
    self.shape = shape
    self.image = image
    self.labels = labels
    self.slicesPerPlane = slicesPerPlane
    let channels = labels.isEmpty ? 0 : image.count / labels.count
    self.channels = channels
    self.least = (0..<channels).map {
      image[$0 * labels.count..<($0 + 1) * labels.count].min() ?? 0
    }
    var least = shape
    var most = [-1, -1, -1]
    var found = [[Int32]](repeating: [], count: 256)
    for index in labels.indices where labels[index] != 0 {
      let (row, x) = (index / shape[2], index % shape[2])
      for (axis, place) in [row / shape[1], row % shape[1], x].enumerated() {
        least[axis] = min(least[axis], place)
        most[axis] = max(most[axis], place)
      }
      found[Int(labels[index])].append(Int32(index))
    }
    foreground = most[0] < 0 ? nil : (0..<3).map { least[$0]...most[$0] }
    voxels = found.filter { !$0.isEmpty }.map { numbers in
      let step = (numbers.count + 9_999) / 10_000
      return stride(from: 0, to: numbers.count, by: step).map { numbers[$0] }
    }
  }

  /// Bytes of image and labels.
  public var bytes: Int { image.count * 4 + labels.count }

  /// z, y, x of a voxel's number.
  func place(_ number: Int32) -> [Int] {
    let row = Int(number) / shape[2]
    return [row / shape[1], row % shape[1], Int(number) % shape[2]]
  }
}
