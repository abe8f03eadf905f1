import ArgumentParser
import Foundation
import Segmentation
import SeriesProcessing

struct WorkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work",
    abstract: "Compute the job of a folder, as a cluster does for segmentd serve.",
    discussion: """
      FOLDER was made by a daemon with inference.executor: slurm. It holds the instances, all settings and the \
      hash of the model: the result has the same bytes as one that the daemon computes by itself. Neither a \
      configuration nor a ledger nor a network is needed.

      The result is written to FOLDER/result.N/, whole or not at all, what went wrong included. A program that \
      gives other results than the daemon's, another model and damaged instances are refused with the reason.

      SIGTERM and SIGINT stop it with a checkpoint in the folder, from which the next run resumes.

      The exit status is 0 where the result is there, 2 where it says that the job could not be computed or the \
      series was held, 75 where it was stopped and is to be run again, 1 where nothing could be written.
      """
        + examples("segmentd work FOLDER", "segmentd work --models /shared/models FOLDER"))

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @Option(help: "Worker threads; as the folder says where it is left out.")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "The submission that this is: it ends at once where the folder asks for another one.",
      valueName: "number"))
  var submission: Int?

  @Argument(help: "The job's folder.", completion: .directory)
  var folder: String

  func run() async throws {
    umask(0o077)
    let interruption = Interruption()
    // A cluster may send it to the process and to its group.
    let signals = StopSignals(secondEnds: false) { interruption.request() }
    defer { withExtendedLifetime(signals) {} }
    let directories = modelDirectories.map { URL(fileURLWithPath: $0) }
    let work = JobFolderWork(JobFolder(URL(fileURLWithPath: folder, isDirectory: true))) {
      ModelLibrary(directories: directories, threads: $0)
    }
    do {
      let end = try await work.run(
        submission: submission, threads: threads.map(threadCount), interruption: interruption
      ) { warn($0) }
      switch end {
      case .written(nil): warn("the result is written")
      case .written(let problem?):
        warn(problem)
        throw ExitCode.findings
      case .alreadyThere: warn("the result is there already")
      case .superseded(let number):
        warn("nothing is done: submission \(number) is asked for by now")
      }
    } catch let interrupted as SegmentationInterrupted {
      warn("stopped: \(interrupted)")
      throw ExitCode.interrupted
    }
  }
}
