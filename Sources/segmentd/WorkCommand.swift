import ArgumentParser
import Foundation
import Segmentation
import SeriesProcessing
import Synchronization

struct WorkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work",
    abstract: "Compute the jobs of folders, as a cluster does for segmentd serve.",
    discussion: """
      Each FOLDER was made by a daemon with inference.executor: slurm. It contains the instances, all settings and \
      the hash of the model: the result has the same bytes as one computed by the daemon itself. No configuration, \
      ledger or network is needed.

      Several folders are computed one after the other with the model loaded once; if one fails, the others are \
      still computed.

      The result is written to FOLDER/result.N/, completely or not at all, including what is wrong with the series. \
      If the program is another build than the daemon's (unless slurm.sameProgram is false) or gives other results, \
      the model differs, or instances are damaged, the job is refused with the reason. If this machine is at fault, \
      for example because of a full disk, there is no result, and FOLDER/node.N.json says why.

      SIGTERM and SIGINT stop it with a checkpoint in the folder, from which the next run resumes.

      The exit status is 0 if all results are there, 2 if a job could not be computed or its series was held, 75 if \
      the command was stopped and should be run again, 74 if this machine is at fault and another one, or the same \
      one later, can compute the job, 1 if a folder is invalid. With several folders the last in this list that \
      applies is used, but 75 takes precedence.
      """
        + examples(
          "segmentd work FOLDER", "segmentd work --models /shared/models FOLDER FOLDER"))

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @Option(help: "Worker threads; by default as the folder says.")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "The number of this submission; the command ends immediately if the folder requests another one.",
      valueName: "number"))
  var submission: Int?

  @Option(
    help: ArgumentHelp(
      "The pack that the folders belong to; others are skipped.", valueName: "name"))
  var pack: String?

  @Argument(help: "The jobs' folders.", completion: .directory)
  var folders: [String]

  func validate() throws {
    guard submission == nil || folders.count == 1 else {
      throw ValidationError("--submission is of one folder; of several, --pack")
    }
  }

  func run() async throws {
    umask(0o077)
    let interruption = Interruption()
    // A cluster may send it to the process and to its group.
    let signals = StopSignals(secondEnds: false) { interruption.request() }
    defer { withExtendedLifetime(signals) {} }
    let models = LoadedModels(modelDirectories.map { URL(fileURLWithPath: $0) })
    var status = ExitCode.success
    for folder in folders {
      let end = try await compute(folder, models, interruption)
      status = [status, end].max { Self.rank($0) < Self.rank($1) } ?? end
    }
    guard status == .success else { throw status }
  }

  /// This machine's name: Slurm's own, by which its jobs can be kept from it.
  private static var host: String {
    ProcessInfo.processInfo.environment["SLURMD_NODENAME"] ?? ProcessInfo.processInfo.hostName
  }

  private static func rank(_ status: ExitCode) -> Int {
    [ExitCode.success, .findings, .machineFault, .failure].firstIndex(of: status) ?? 0
  }

  /// - Throws: ``ArgumentParser/ExitCode/interrupted`` where the rest is not to be computed either.
  private func compute(
    _ folder: String, _ models: LoadedModels, _ interruption: Interruption
  ) async throws -> ExitCode {
    let tell = { (text: String) in
      warn(folders.count == 1 ? text : "\(URL(fileURLWithPath: folder).lastPathComponent): \(text)")
    }
    let work = JobFolderWork(
      JobFolder(URL(fileURLWithPath: folder, isDirectory: true)), host: Self.host
    ) {
      models.library(threads: $0)
    }
    do {
      let end = try await work.run(
        submission: submission, pack: pack, threads: threads.map(threadCount),
        interruption: interruption
      ) { warn($0) }
      switch end {
      case .written(nil): tell("the result is written")
      case .written(let problem?):
        tell(problem)
        return .findings
      case .alreadyThere: tell("the result is there already")
      case .superseded(let number):
        tell("nothing is done: submission \(number) is asked for by now")
      }
      return .success
    } catch let interrupted as SegmentationInterrupted {
      warn("stopped: \(interrupted)")
      throw ExitCode.interrupted
    } catch let fault as ProcessingFault {
      warn("fault of this machine: \(fault)")
      return .machineFault
    } catch let error as JobFolderError {
      tell("\(error)")
      return .failure
    }
  }
}

/// The models of this machine, each number of threads with a library of its own.
private final class LoadedModels: Sendable {
  private let directories: [URL]
  private let libraries = Mutex<[Int: ModelLibrary]>([:])

  init(_ directories: [URL]) { self.directories = directories }

  func library(threads: Int) -> ModelLibrary {
    libraries.withLock { libraries in
      if let known = libraries[threads] { return known }
      let library = ModelLibrary(directories: directories, threads: threads)
      libraries[threads] = library
      return library
    }
  }
}
