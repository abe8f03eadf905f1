import ArgumentParser
import Foundation
import SeriesProcessing
import Volumes

/// `segmentd resample`: the bare resampling of an array, for comparison with other
/// implementations and for timing (Scripts/compare-resampling.sh).
struct ResampleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resample",
    abstract: "Resample an array of 16-bit integers and write it as 32-bit floats.",
    discussion: "Files contain raw little-endian numbers, axes z, y, x with x fastest."
      + examples(
        "segmentd resample --input a.raw --output b.raw --shape 10 64 64 \\",
        "    --new-shape 20 64 64"),
    shouldDisplay: false)

  @Option(help: "The array to read.")
  var input: String

  @Option(help: "The array to write.")
  var output: String

  @Option(parsing: .upToNextOption, help: "Voxels along z, y, x.")
  var shape: [Int]

  @Option(parsing: .upToNextOption, help: "Voxels along z, y, x of the result.")
  var newShape: [Int]

  @Option(help: "The axis (0, 1, 2 for z, y, x) along which the nearest slice is taken.")
  var separateAxis: Int?

  @Flag(help: "Interpolate linearly, not with cubic B-splines.")
  var linear = false

  @Option(name: .customLong("repeat"), help: "How often to run, for timing.")
  var repetitions = 1

  func validate() throws {
    for (name, shape) in [("--shape", shape), ("--new-shape", newShape)] {
      guard shape.count == 3, shape.allSatisfy({ (1...8192).contains($0) }) else {
        throw ValidationError("\(name) must be three numbers from 1 to 8192")
      }
    }
    if let separateAxis, !(0...2).contains(separateAxis) {
      throw ValidationError("--separate-axis must be 0, 1 or 2")
    }
    guard repetitions >= 1 else { throw ValidationError("--repeat must be at least 1") }
  }

  func run() async throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: input))
    let count = shape.reduce(1, *)
    guard data.count == 2 * count else {
      throw ValidationError("\(input) has \(data.count) bytes, not the \(2 * count) of --shape")
    }
    let values = data.withUnsafeBytes { raw in
      (0..<count).map {
        Int16(littleEndian: raw.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self))
      }
    }
    let resampling = Resampling(shape: shape, newShape: newShape, separateAxis: separateAxis)
    let view = VoxelView(.int16(values), shape: shape)
    var result = [Float](repeating: 0, count: newShape.reduce(1, *))
    var seconds: [Double] = []
    for _ in 0..<repetitions {
      let elapsed = ContinuousClock().measure {
        result.withUnsafeMutableBufferPointer {
          resampling.apply(view, linear ? .linear : .cubic, into: $0)
        }
      }
      seconds.append(elapsed / .seconds(1))
    }
    try result.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: output))
    print(try encodeJSON(["seconds": seconds]))
  }
}
