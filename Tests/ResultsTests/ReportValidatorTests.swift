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
