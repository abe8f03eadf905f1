import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// The section of the cluster that computes jobs.
@Suite struct SlurmConfigurationTests {
  private let folder: TemporaryFolder
  private var path: String { folder.url.path }

  init() throws { folder = try TemporaryFolder() }

  private func load(_ text: String) throws(ConfigurationError) -> SiteConfiguration {
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try SiteConfiguration.load(file)
  }

  private func fault(_ text: String) -> String {
    do {
      _ = try load(text)
      return "none"
    } catch { return error.description }
  }

  @Test func whatIsLeftOutHasItsDefault() throws {
    let slurm = try #require(try load("slurm: {folder: \"\(path)\"}").slurm)
    #expect(slurm.folder == path && slurm.program == "/usr/bin/segmentd")
    #expect(slurm.sameProgram && slurm.endedJobs == nil)
    #expect(slurm.maximumJobs == 8 && slurm.packJobs == 16 && slurm.memoryGB == 4)
  }

  /// The section that the configuration file shows in comments has every key.
  @Test func theExampleIsValid() throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let section = try #require(text.components(separatedBy: "# slurm:\n").dropFirst().first)
    let lines = section.components(separatedBy: "\n").prefix { $0.hasPrefix("#  ") }
      .map { String($0.dropFirst(2)) }
    let example = lines.joined(separator: "\n")
      .replacing("folder: /shared/segmentd ", with: "folder: \"\(path)\" ")
    let slurm = try #require(try load("slurm:\n\(example)\n").slurm)
    #expect(slurm.sameProgram && slurm.endedJobs == "/shared/segmentd-ended")
    #expect(slurm.urgentPartition == "urgent" && slurm.wallTimeMinutes == 60)
    let keys = lines.compactMap { line -> String? in
      let word = line.drop { $0 == " " }.prefix { $0.isLetter }
      return word.isEmpty ? nil : String(word)
    }
    #expect(keys.count == 14 && Set(keys).count == 14, "\(keys)")
  }

  @Test func whatMakesNoSenseIsRefused() {
    let section = "slurm: {folder: \"\(path)\""
    for (text, words) in [
      ("inference: {executor: slurm}", "needs the section slurm"),
      ("slurm: {folder: \"\(path)/nowhere\"}", "is not a folder"),
      ("\(section), endedJobs: ended}", "slurm.endedJobs: ended is not an absolute path"),
      ("\(section), program: segmentd}", "slurm.program"),
      ("\(section), sameProgram: perhaps}", "sameProgram"),
      ("\(section), memoryGB: 0}", "slurm.memoryGB"),
      ("\(section), partition: \"-x\"}", "slurm.partition"),
      ("\(section), packs: 3}", "packs"),
    ] {
      let found = fault(text)
      #expect(found.contains(words), "\(text): \(found)")
    }
  }
}
