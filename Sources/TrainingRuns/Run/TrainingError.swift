import FileSystem
import Wording

/// Why a training cannot begin, resume or go on.
public enum TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Another process trains in the folder.
  case inUse(folder: String)
  /// The folder holds a run already.
  case started(folder: String)
  case nothingToResume(folder: String)
  /// The run was started with another value of a key.
  case differentSetting(key: String, started: String?, now: String?)
  case damagedCheckpoint(path: String, reason: String)
  case unwritable(path: String, reason: String)
  /// A file of a case cannot be read.
  case unreadable(path: String, reason: String)
  /// The training that shall be resumed has ended and has its bundle.
  ///
  /// - Parameter further: how the bundle is trained further, after "to train it further, ".
  case finished(folder: String, step: Int, bundle: String, further: String)
  /// The weights to begin with are those of another network.
  case differentNetwork(initialModel: String)
  /// The loss, a gradient or a weight is infinite or not a number.
  case notFinite(step: Int, cases: [String], reason: String, checkpoint: String?)
  case noHeldOutCases
  case sameCase(name: String, first: String, second: String)
  /// No held-out case could be scored.
  case nothingScored(reasons: [String])
  /// A bundle of the name is there.
  case bundleExists(path: String)
  /// Names that shall be held out and are no case's.
  case unknownHeldOut(names: [String])
  /// Corrections of too few patients to hold one out.
  case tooFewCorrections(count: Int)
  case tooFewPatients(count: Int)

  init(_ error: DurableFileError) { self = .unwritable(path: error.file, reason: error.reason) }

  public var description: String {
    switch self {
    case .inUse(let folder): "\(folder): a training runs there already"
    case .started(let folder):
      "\(folder): holds a training already; continue it with --resume, or name another folder"
    case .nothingToResume(let folder):
      "\(folder): holds no checkpoint.safetensors to resume from; start without --resume"
    case .differentSetting(let key, _, _) where key.hasPrefix("data."):
      "the \(key == "data.heldOut" ? "held-out" : "training") cases, their images or labels are not those "
        + "that the run was started with: it resumes only with the same; undo the change, or start anew in "
        + "another folder"
    case .differentSetting(let key, let started, let now):
      "\(key) is \(now ?? "not set"), but the run was started with \(started ?? "none"): it resumes "
        + "only with the settings it was started with; undo the change, or start anew in another folder"
    case .differentNetwork(let bundle):
      "initialModel: the network of \(bundle) is not that of model.network, which its weights have to "
        + "fit; copy the section network from its model.yaml"
    case .damagedCheckpoint(let path, let reason): "\(path): \(reason)"
    case .unwritable(let path, let reason): "\(path): cannot be written: \(reason)"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .finished(let folder, let step, let bundle, let further):
      "\(folder): the training is finished, at step \(step), and its bundle is \(bundle); to train it "
        + "further, \(further)"
    case .notFinite(let step, let cases, let reason, let checkpoint):
      "step \(step), patches of \(cases.joined(separator: ", ")): \(reason); "
        + (checkpoint.map { "\($0) holds the last good weights" } ?? "nothing was stored yet")
        + "; lower optimiser.rate, or raise schedule.warmupSteps, and start anew"
    case .noHeldOutCases: "split: holds out no case, so that nothing can be validated"
    case .sameCase(let name, let first, let second):
      "both \(first) and \(second) hold a case called \(name)"
    case .nothingScored(let reasons):
      "no held-out case could be scored: \(reasons.prefix(3).joined(separator: "; "))"
    case .unknownHeldOut(let names):
      "--held-out: there is no case called \(names.prefix(10).joined(separator: ", "))"
    case .tooFewCorrections(let count):
      counted(count, "corrected case")
        + ": one is held out to see whether the training helps, so that at least two are needed"
    case .tooFewPatients(let count):
      "corrected cases of \(counted(count, "patient")): one is held out to see whether the training "
        + "helps, so that at least two are needed; without --by-patient, cases are held out one by one"
    case .bundleExists(let path):
      "\(path): is there already, and a bundle is never replaced; move it away, or train in another "
        + "folder"
    }
  }
}
