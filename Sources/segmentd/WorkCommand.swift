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
      Each FOLDER was made by a daemon with inference.executor: slurm. It holds the instances, all settings and the \
      hash of the model: the result has the same bytes as one that the daemon computes by itself. Neither a \
      configuration nor a ledger nor a network is needed.

      Several folders are computed one after the other with the model loaded once; what goes wrong with one does not \
      keep the others from being computed.

      The result is written to FOLDER/result.N/, whole or not at all, what is wrong with the series included. A \
      program that is another build than the daemon's (unless slurm.sameProgram is false) or gives other results, \
      another model and damaged instances are refused with the reason. For a fault of this machine, such as a full disk, there is no result, and FOLDER/node.N.json says what \
      it is.

      SIGTERM and SIGINT stop it with a checkpoint in the folder, from which the next run resumes.

      The exit status is 0 where the results are there, 2 where one says that its job could not be computed or its \
      series was held, 75 where it was stopped and is to be run again, 74 where this machine is at fault and another \
      one, or the same later, comes to a result, 1 where a folder is not what it should be. Of several folders that \
      which is later in this list counts, but 75 before all.
      """
        + examples(
          "segmentd work FOLDER", "segmentd work --models /shared/models FOLDER FOLDER"))

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

  @Option(
    help: ArgumentHelp(
      "The pack that the folders are of: those that are not are passed over.", valueName: "name"))
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
