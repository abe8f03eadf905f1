import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Reports as pixelmed's DicomSRValidator sees them, which knows the templates of PS3.16: rows, conditions,
/// relationships and value sets.
@Suite(.serialized) struct ReportValidatorTests {
  private static let jar = "/usr/share/java/pixelmed.jar"
  private static let java = "/usr/bin/java"
  private static let isMissing =
    "pixelmed's validator needs \(jar) of Debian's package libpixelmed-java, and a Java runtime, which is not installed for it"
  private static var isThere: Bool {
    [jar, java].allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }

  /// What it says of a report.
  private func words(_ path: String) async throws -> [Substring] {
    // Its style sheets are larger than Java's own limits admit.
    let limits = ["Op", "Grp"].map { "-Djdk.xml.xpathExpr\($0)Limit=0" }
    let result = try await runProcess(
      Self.java,
      limits + [
        "-Djdk.xml.xpathTotalOpLimit=0", "-cp", Self.jar,
        "com.pixelmed.validate.DicomSRValidator", path,
      ])
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.contains("Found Comprehensive3DSR IOD"), "\(result.output)")
    #expect(result.output.contains("Found Root Template TID_1500"), "\(result.output)")
    #expect(result.output.contains("IOD validation complete"), "\(result.output)")
    return result.output.split(separator: "\n")
  }

  private func complaints(_ path: String) async throws -> [Substring] {
    try await words(path).filter { line in
      ["Error", "Warning", "illegal", "Exception"].contains { line.contains($0) }
    }
  }

  @Test(.enabled(if: isThere, Comment(rawValue: isMissing))) func itFindsNothingToCorrect()
    async throws
  {
    let written = try ReportSeries()
    try written.write()
    #expect(try await complaints(written.path) == [])
    let nothing = try ReportSeries(labels: {
      LabelVolume(grid: $0, labels: [UInt8](repeating: 0, count: $0.voxelCount))
    })
    try nothing.write()
    #expect(try await complaints(nothing.path) == [])
  }

  /// It takes each group of the heart's function, which is of TID 1501, for one of TID 1411, and misses the regions
  /// of that there; of the groups of segments it knows neither phase nor comment, which TID 1411 may be extended by.
  @Test(.enabled(if: isThere, Comment(rawValue: isMissing)))
  func ofTheHeartItFindsWhatTheGuideSays() async throws {
    let heart = try HeartReport()
    #expect(try heart.report().write(to: heart.path) == .written)
    let found = try await complaints(heart.path)
    let errors = found.filter { !$0.hasPrefix("Warning") }
    let place = #/\[Row (\d+)\] \w+ \([^()]*\): within [\d.]*\.(\d+): /#
    let rows = errors.map { line -> String in
      guard line.hasPrefix("Error: Template 1411 "),
        line.hasSuffix("Missing conditional content item"), let at = line.firstMatch(of: place)
      else { return String(line) }
      return "group \(at.output.2), row \(at.output.1)"
    }
    // Two structures in two phases are the first four groups.
    #expect(
      rows == [5, 6].flatMap { group in [5, 7, 10].map { "group \(group), row \($0)" } },
      "\(errors)")
    let warnings = found.filter { $0.hasPrefix("Warning") }
    #expect(warnings.count == 8)
    #expect(
      warnings.allSatisfy { line in
        line.hasSuffix("Content Item not in template")
          && (line.contains("(246092007,SCT,\"Cardiac cycle phase\")")
            || line.contains("(121106,DCM,\"Comment\")"))
      }, "\(warnings)")
  }

  /// A check that finds nothing in anything would prove nothing.
  @Test(.enabled(if: isThere, Comment(rawValue: isMissing))) func itFindsAWrongRelationship()
    async throws
  {
    let written = try ReportSeries()
    try written.write()
    var dataset = try DICOMFile(path: written.path).dataset
    #expect(dataset.changeNumbers { $0.set(.relationshipType, .CS, "HAS PROPERTIES") } > 0)
    try dataset.write(to: written.path)
    let found = try await complaints(written.path)
    #expect(found.contains { $0.contains("Incorrect relationship") }, "\(found)")
  }
}

extension Dataset {
  /// Changes all numbers of a content tree.
  ///
  /// - Returns: how many there are.
  fileprivate mutating func changeNumbers(_ change: (inout Dataset) -> Void) -> Int {
    var items = items(.contentSequence)
    var count = 0
    for index in items.indices {
      if items[index].text(.valueType) == "NUM" {
        change(&items[index])
        count += 1
      }
      count += items[index].changeNumbers(change)
    }
    if count > 0 { set(.contentSequence, items) }
    return count
  }
}
