import Foundation
import TestSupport
import Volumes

@testable import Results

/// What other programs should read of an object, as the Python readers expect it; see `read_segmentation.py`.
struct ReaderExpectation: Encodable {
  struct Axes: Encodable { var origin, column, row, slice: [Double] }
  /// File of the labels, beside this one.
  var labels = "labels.raw"
  var slices, rows, columns: Int
  var affine: Axes
  /// SOP Instance UID and frame number, or 0, by slice.
  var images: [[Value]]
  var segments: [String: Int]
  var colors: [String: [UInt8]]
  var sopInstanceUID: String
  private var values: [UInt8] = []

  enum CodingKeys: CodingKey {
    case labels, slices, rows, columns, affine, images, segments, colors, sopInstanceUID
  }

  enum Value: Encodable {
    case text(String)
    case number(Int)
    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      }
    }
  }

  init(of object: SegmentationObject) {
    let grid = object.stack.sourceGrid
    let list = { (vector: SIMD3<Double>) in [vector.x, vector.y, vector.z] }
    (slices, rows, columns) = (grid.slices, grid.rows, grid.columns)
    affine = Axes(
      origin: list(grid.affine.origin), column: list(grid.affine.column),
      row: list(grid.affine.row), slice: list(grid.affine.slice))
    images = object.stack.frames.map { [.text($0.sopInstanceUID), .number($0.frameNumber ?? 0)] }
    (segments, colors) = ([:], [:])
    for (index, segment) in WantedFrames(object).segments.enumerated() {
      segments["\(segment.value)"] = index + 1
      colors["\(index + 1)"] = segment.color
    }
    sopInstanceUID = object.identifiers.sopInstanceUID
    values = object.labels.labels
  }

  /// - Parameter probabilities: of a fractional object, whose values are in fractions.raw: by segment, slice,
  ///   row and column.
  /// - Returns: the path of expected.json.
  func write(to folder: URL, probabilities: ProbabilityVolume? = nil) throws -> String {
    if let probabilities {
      var values = Data()
      for label in segments.sorted(by: { $0.value < $1.value }).compactMap({ Int($0.key) }) {
        for slice in 0..<slices {
          let plane = probabilities[class: label, slice: slice]
          values += plane.isEmpty ? Data(count: rows * columns) : Data(plane)
        }
      }
      try values.write(to: folder.appendingPathComponent("fractions.raw"))
    }
    try Data(values).write(to: folder.appendingPathComponent(labels))
    let url = folder.appendingPathComponent("expected.json")
    try JSONEncoder().encode(self).write(to: url)
    return url.path
  }
}
