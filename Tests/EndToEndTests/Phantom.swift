import Foundation
import TestSupport

/// Writes a synthetic series with pydicom.
///
/// - Returns: its study and series instance UID.
@discardableResult
func makeSeries(at folder: URL, _ options: String...) async throws -> (
  study: String, series: String
) {
  let script = TestFiles.package.appendingPathComponent(
    "Scripts/test-support/generators/make_series.py")
  let result = try await runProcess(testPython, [script.path, folder.path] + options)
  let parts = result.output.split(whereSeparator: \.isWhitespace).map(String.init)
  guard result.status == 0, parts.count == 2 else { throw PhantomFailed(output: result.output) }
  return (parts[0], parts[1])
}

struct PhantomFailed: Error, CustomStringConvertible {
  var output: String
  var description: String { "make_series.py failed: \(output)" }
}
