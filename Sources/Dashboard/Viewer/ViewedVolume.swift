import CPNG
import Foundation
import Results
import Volumes

/// The images and labels of one object of a result, in memory, for the planes that somebody looks at.
struct ViewedVolume: Sendable {
  /// How a plane is shown.
  struct Plane: Sendable, Encodable {
    /// By the axis at a right angle to it in the images' array: 0 for the images themselves.
    var normal: Int
    var name: String
    var count: Int
    var columns: Int
    var rows: Int
    /// Of a voxel in mm.
    var pixelWidth: Double
    var pixelHeight: Double
    /// Directions of the patient.
    var left: String
    var right: String
    var top: String
    var bottom: String
    /// With most voxels that have a label.
    var first: Int
  }

  struct Segment: Sendable, Encodable {
    /// Its value in pictures of labels.
    var number: Int
    var name: String
    var color: [Int]
  }

  struct Window: Sendable, Encodable {
    var name: String
    var low: Float
    var high: Float
  }

  /// What the viewer's page is told.
  struct Description: Sendable, Encodable {
    var planes: [Plane]
    var segments: [Segment]
    var windows: [Window]
  }

  let description: Description
  private let volume: Volume
  private let labels: [UInt8]
  private let views: [PlaneView]
  private let isInverted: Bool

  /// - Parameters:
  ///   - volume: the source images.
  ///   - labels: the numbers of segments on them.
  ///   - segments: of the object.
  ///   - modality: of the images.
  ///   - isInverted: whether low values are white (MONOCHROME1).
  init(
    _ volume: Volume, _ labels: [UInt8], segments: [SegmentationLabels.Segment], modality: String,
    isInverted: Bool
  ) {
    self.volume = volume
    self.labels = labels
    self.isInverted = isInverted
    let grid = volume.grid
    views = (0..<3).map { PlaneView(grid, normal: $0) }
    description = Description(
      planes: views.map { Self.plane($0, grid, labels) },
      segments: segments.enumerated().map {
        Segment(
          number: $1.number, name: $1.name, color: Self.colors[$0 % Self.colors.count])
      },
      windows: Self.windows(volume, modality))
  }

  /// Told apart by people who see colours otherwise, too (after Okabe and Ito, 2008).
  private static let colors = [
    [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [213, 94, 0], [204, 121, 167],
    [0, 114, 178], [255, 255, 255],
  ]

  private static func plane(_ view: PlaneView, _ grid: VolumeGrid, _ labels: [UInt8]) -> Plane {
    let steps = [grid.affine.slice, grid.affine.row, grid.affine.column]
    let across = steps[view.across.axis] * (view.across.isReversed ? -1 : 1)
    let down = steps[view.down.axis] * (view.down.isReversed ? -1 : 1)
    let normal = cross(across, down)
    let sizes = [abs(normal.x), abs(normal.y), abs(normal.z)]
    let name =
      sizes[2] >= sizes.max() ?? 0 ? "axial" : sizes[1] >= sizes[0] ? "coronal" : "sagittal"
    return Plane(
      normal: view.normal, name: view.normal == 0 ? "\(name) (images)" : name,
      count: grid.shape[view.normal], columns: grid.shape[view.across.axis],
      rows: grid.shape[view.down.axis], pixelWidth: length(across), pixelHeight: length(down),
      left: PatientLetters.text(-across), right: PatientLetters.text(across),
      top: PatientLetters.text(-down), bottom: PatientLetters.text(down),
      first: fullest(view.normal, grid.shape, labels))
  }

  /// The plane with most labelled voxels; the middle one where there is none.
  private static func fullest(_ axis: Int, _ shape: [Int], _ labels: [UInt8]) -> Int {
    var counts = [Int](repeating: 0, count: shape[axis])
    let stride = shape[(axis + 1)...].reduce(1, *)
    labels.withUnsafeBufferPointer { labels in
      for (index, label) in labels.enumerated() where label != 0 {
        counts[index / stride % shape[axis]] += 1
      }
    }
    let most = counts.max() ?? 0
    return most == 0 ? shape[axis] / 2 : counts.firstIndex(of: most) ?? 0
  }

  private static func windows(_ volume: Volume, _ modality: String) -> [Window] {
    let count = volume.storage.count
    let sample = stride(from: 0, to: count, by: max(1, count / 20_000))
      .map { volume.storage[$0] }.filter(\.isFinite).sorted()
    let low = sample.isEmpty ? 0 : sample[sample.count / 100]
    let high = sample.isEmpty ? 1 : sample[sample.count - 1 - sample.count / 200]
    var windows = [Window(name: "automatic", low: low, high: max(high, low.nextUp))]
    if modality == "CT" {
      windows += [
        Window(name: "soft tissue", low: -160, high: 240),
        Window(name: "lung", low: -1350, high: 150),
        Window(name: "bone", low: -500, high: 1300), Window(name: "brain", low: 0, high: 80),
      ]
    }
    windows.append(
      Window(
        name: "everything", low: sample.first ?? 0,
        high: max(sample.last ?? 1, (sample.first ?? 0).nextUp)))
    return windows
  }

  /// A plane of the images as PNG, 8 bits of gray; nil where there is none.
  func image(normal: Int, index: Int, low: Float, high: Float) -> Data? {
    let (low, width) = (low, max(high - low, .leastNormalMagnitude))
    return png(normal, index) { voxel in
      let fraction = (volume.storage[voxel] - low) / width
      let level = fraction.isFinite ? UInt8(min(max(fraction, 0), 1) * 255) : 0
      return isInverted ? 255 - level : level
    }
  }

  /// The numbers of segments on a plane as PNG; nil where there is none.
  func labels(normal: Int, index: Int) -> Data? { png(normal, index) { labels[$0] } }

  private func png(_ normal: Int, _ index: Int, _ value: (Int) -> UInt8) -> Data? {
    guard views.indices.contains(normal), index >= 0, index < volume.grid.shape[normal] else {
      return nil
    }
    let (view, shape) = (views[normal], volume.grid.shape)
    let strides = [shape[1] * shape[2], shape[2], 1]
    let (columns, rows) = (shape[view.across.axis], shape[view.down.axis])
    var pixels: [UInt8] = []
    pixels.reserveCapacity(columns * rows)
    for row in 0..<rows {
      let down = view.down.isReversed ? rows - 1 - row : row
      for column in 0..<columns {
        let across = view.across.isReversed ? columns - 1 - column : column
        pixels.append(
          value(
            index * strides[normal] + down * strides[view.down.axis]
              + across * strides[view.across.axis]))
      }
    }
    // What cannot be made smaller takes up a little more than itself.
    var size = pixels.count + pixels.count / 100 + rows + 4096
    var data = [UInt8](repeating: 0, count: size)
    guard png_write_gray_memory(&data, &size, UInt32(columns), UInt32(rows), pixels) == 0 else {
      return nil
    }
    return Data(data.prefix(size))
  }
}
