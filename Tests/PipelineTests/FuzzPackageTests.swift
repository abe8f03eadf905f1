import FileSystem
import Foundation
import TestSupport
import Testing

/// `Scripts/fuzz` names the modules that it fuzzes and what they need once more; it is built only where
/// somebody fuzzes.
@Suite struct FuzzPackageTests {
  private static let package = TestFiles.package

  /// The modules of ours that a target depends on.
  private func dependencies() throws -> [String: Set<String>] {
    let text = try TextFile.read(
      Self.package.appendingPathComponent("Scripts/fuzz/Package.swift").path)
    var found: [String: Set<String>] = [:]
    for part in text.split(separator: ".target(").dropFirst() {
      let names = part.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
      guard let name = names.first, !part.contains("path:"), !part.contains("sources:") else {
        continue
      }
      let end = part.range(of: "dependencies: [")
      let list = end.map { part[$0.upperBound...].prefix { $0 != "]" } } ?? ""
      found[name] = Set(
        list.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
          .filter { $0.offset % 2 == 1 }.map { String($0.element) })
    }
    return found
  }

  private func sources(of module: String) throws -> [URL] {
    let folder = Self.package.appendingPathComponent("Sources/\(module)")
    let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (walk?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
  }

  @Test func itKnowsWhatEachModuleImports() throws {
    let dependencies = try dependencies()
    #expect(dependencies.count > 10 && dependencies["DICOM"] != nil)
    let ours = try Set(
      FileManager.default.contentsOfDirectory(
        atPath: Self.package.appendingPathComponent("Sources").path))
    for (module, known) in dependencies {
      for file in try sources(of: module) {
        let imports = try TextFile.read(file.path).split(separator: "\n")
          .filter { $0.hasPrefix("import ") || $0.hasPrefix("@testable import ") }
          .compactMap { $0.split(separator: " ").last.map(String.init) }
        for name in imports where ours.contains(name) {
          #expect(known.contains(name), "\(module) imports \(name) in \(file.lastPathComponent)")
        }
      }
    }
  }

  /// Every library of DCMTK's that the program is linked with.
  @Test func itIsLinkedWithAllOfDCMTK() throws {
    func libraries(_ file: String) throws -> Set<String> {
      let text = try TextFile.read(Self.package.appendingPathComponent(file).path)
      let start = try #require(text.range(of: "let dcmtkLibraries = ["))
      let list = text[start.upperBound...].prefix { $0 != "]" }
      return Set(
        list.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
          .filter { $0.offset % 2 == 1 }.map { String($0.element) })
    }
    let program = try libraries("Package.swift")
    #expect(!program.isEmpty)
    #expect(try libraries("Scripts/fuzz/Package.swift").isSuperset(of: program))
  }
}
