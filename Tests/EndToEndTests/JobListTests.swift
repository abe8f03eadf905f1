import Foundation
import TestSupport
import Testing

/// `segmentd jobs` by its conditions, in pages, of what is pending, and where nothing can be written.
@Suite(.serialized, .limitedConcurrency) struct JobListTests {
  @Test func listsFiltersAndPages() async throws {
    // No rule is for CT: each job is held at once.
    let setup = try DaemonSetup(models: ["MR": "untrained-tiny-mr"], hasDestination: false)
    let disk =
      SmallFileSystem.isPossible ? try SmallFileSystem(at: setup.state, kilobytes: 65_536) : nil
    let daemon = try await setup.start()
    let (folders, series) = try await setup.makeAllSeries(3, slices: 3, size: 16)
    for (number, folder) in folders.enumerated() {
      #expect(try await setup.send(folder).status == 0)
      _ = try await setup.endedJobs(number + 1)
    }
    func list(_ options: String...) async throws -> ProcessResult {
      try await runProcess(
        segmentdBinary, ["jobs", "--config", setup.configuration] + options)
    }
    func rows(_ options: String...) async throws -> [Int64] {
      let result = try await runProcess(
        segmentdBinary, ["jobs", "--config", setup.configuration, "--json"] + options)
      #expect(result.status == 0, "\(result.output)")
      return try JSONDecoder().decode([JobRow].self, from: Data(result.output.utf8)).map(\.id)
    }
    #expect(try await rows() == [1, 2, 3])
    #expect(try await rows("--limit", "2") == [2, 3])
    #expect(try await rows("--limit", "2", "--offset", "1") == [1, 2])
    #expect(try await rows("--after", "1", "--limit", "1") == [2])
    #expect(try await rows("--reverse", "--limit", "1") == [3])
    #expect(try await rows("--sort", "finished", "--limit", "1") == [1])
    #expect(try await rows("--series", series[1]) == [2])
    #expect(try await rows("--state", "completed") == [])
    #expect(try await rows("--state", "held", "--newer-than", "1d", "--limit", "0") == [1, 2, 3])
    #expect(try await rows("--older-than", "1d") == [])
    #expect(try await rows("--destination", "pacs") == [])
    let page = try await list("--limit", "1")
    #expect(page.output.contains("1 of 3 jobs"), "\(page.output)")
    for wrong in [["--after", "1", "--sort", "state"], ["--job", "1", "--limit", "2"]] {
      let result = try await runProcess(
        segmentdBinary, ["jobs", "--config", setup.configuration] + wrong)
      #expect(result.status == 64, "\(result.output)")
    }
    #expect(try await list("--pending").output == "no series is pending\n")

    // A peer that is silent in the middle of its association.
    let files = try FileManager.default.contentsOfDirectory(
      at: folders[0], includingPropertiesForKeys: nil)
    let silent = try setup.leaving("silence", files)
    try await waitUntil("the association") {
      try await list("--pending").output.contains("the end of the association of ")
    }
    #expect(try await list().output.contains("1 series arriving or not assembled yet"))
    try await silent.end(SIGKILL)
    try await daemon.end()

    // Where nothing can be written.
    try disk?.remount(readOnly: true)
    #expect(try await rows() == [1, 2, 3])
    #expect(try await list("--job", "2").status == 0)
    try disk?.remount()
    try disk?.fill()
    #expect(try await rows("--state", "held", "--limit", "1") == [3])
  }
}
