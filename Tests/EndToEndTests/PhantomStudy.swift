import Foundation
import TestSupport

/// Runs a script of Scripts/test-support and reads the JSON that it prints.
func runScript<Value: Decodable>(_ name: String, _ arguments: [String], as type: Value.Type)
  async throws -> Value
{
  let script = TestFiles.package.appendingPathComponent("Scripts/test-support/\(name)").path
  let result = try await runProcess(testPython, [script] + arguments)
  guard result.status == 0 else { throw PhantomFailed(output: result.output) }
  return try JSONDecoder().decode(type, from: Data(result.output.utf8))
}

/// A bundle whose network marks what is bright.
func makeThresholdBundle(_ kind: String, in folder: URL) async throws -> URL {
  let bundle = folder.appendingPathComponent("threshold-\(kind)")
  let script = TestFiles.package
    .appendingPathComponent("Scripts/test-support/generators/make_threshold_bundle.py").path
  let result = try await runProcess(testPython, [script, bundle.path, kind])
  guard result.status == 0 else { throw PhantomFailed(output: result.output) }
  return bundle
}

/// Where the segments of a segmentation object are, as pydicom reads it.
struct SegmentPlaces: Decodable {
  struct Near: Decodable {
    var millilitres: Double
    var centre: [Double]?
  }
  struct Segment: Decodable {
    var millilitres: Double
    var near: [Near]
  }
  var segments: [String: Segment]
  var sources: [String]
  /// The images of each item of the Referenced Series Sequence, by its series.
  var references: [String: [String]]
  var instanceNumber: Int
  var series: String
  var description: String
  /// How many frames are not where their source image is; nil where no sources were given.
  var misplaced: Int?

  static func read(_ file: URL, sources: URL? = nil, near places: [[Double]] = []) async throws
    -> SegmentPlaces
  {
    try await runScript(
      "readers/segment_places.py",
      [file.path] + (sources.map { ["--sources", $0.path] } ?? [])
        + places.map { $0.map { "\($0)" }.joined(separator: ",") },
      as: SegmentPlaces.self)
  }
}

/// What `segmentd run --json` says of one series.
struct RunRow: Decodable {
  struct Phase: Decodable {
    struct Description: Decodable {
      var number: Int
      var name: String?
    }
    var phase: Description
    var segmentation: String
  }
  struct Function: Decodable {
    var endDiastolicMillilitres: Double
    var endSystolicMillilitres: Double
    var ejectionFraction: Double
  }
  var seriesInstanceUID: String?
  var state: String
  var segmentation: String?
  var reasons: [String]?
  var phases: [Phase]?
  var function: [Function]?
  var mass: Mass?
  var picture: String?
  var notes: [String]?

  struct Mass: Decodable {
    var structure: String
    var grams: Double
  }

  /// Runs a model on a folder, which gives one report.
  static func run(_ input: URL, model: URL, _ options: String...) async throws -> RunRow {
    let result = try await runProcess(
      segmentdBinary,
      ["run", "--model", model.path, "--output", input.path + "-results", "--json", input.path]
        + options)
    guard let start = result.output.range(of: "[\n") else {
      throw PhantomFailed(output: result.output)
    }
    let rows = try JSONDecoder().decode(
      [RunRow].self, from: Data(result.output[start.lowerBound...].utf8))
    guard rows.count == 1 else { throw PhantomFailed(output: result.output) }
    return rows[0]
  }
}
