import FileSystem
import Foundation

/// The folder of a run: its lock, and where its files are.
///
/// ```
/// OUTPUT/lock                     held while a training runs
/// OUTPUT/checkpoint.safetensors   what --resume continues from
/// OUTPUT/best.safetensors         the averaged weights at the best validation
/// OUTPUT/log.csv, validation.csv, curves.png
/// OUTPUT/candidate/               the bundle that is validated
/// OUTPUT/prepared/                cases that do not fit in memory, ready for the network
/// OUTPUT/models/NAME/             the bundle at the end
/// ```
public final class RunFolder: Sendable {
  public let url: URL
  private let descriptor: Int32

  /// Creates the folder, mode 0700, and takes it for this process alone.
  ///
  /// - Throws: ``TrainingError/inUse(folder:)`` or ``TrainingError/unwritable(path:reason:)``.
  public init(_ path: String) throws(TrainingError) {
    url = URL(fileURLWithPath: path)
    do {
      try FileManager.default.createDirectory(
        at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .unwritable(path: path, reason: SystemError.text(of: error))
    }
    let lock = url.appendingPathComponent("lock").path
    let descriptor = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .unwritable(path: lock, reason: String(cString: strerror(errno)))
    }
    // The kernel releases it with the process, however that ends.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .inUse(folder: path)
    }
    self.descriptor = descriptor
  }

  deinit {
    // By hand: a child that is being started has a copy of the descriptor until its exec.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Checks that there is something to resume, or nothing that would be lost.
  ///
  /// - Throws: ``TrainingError/nothingToResume(folder:)``, ``TrainingError/started(folder:)``.
  func check(resume: Bool) throws(TrainingError) {
    let hasCheckpoint = FileManager.default.fileExists(atPath: checkpoint.path)
    if resume, !hasCheckpoint { throw .nothingToResume(folder: url.path) }
    if !resume, hasCheckpoint { throw .started(folder: url.path) }
  }

  /// Checks that a run that shall be resumed has not ended and got its bundle.
  ///
  /// - Parameters:
  ///   - isBundle: whether a folder of that name in ``models`` is the bundle of the run.
  ///   - further: how a bundle is trained further, given its path.
  /// - Throws: ``TrainingError/finished(folder:step:bundle:further:)``.
  func checkIsUnfinished(bundle isBundle: (String) -> Bool, further: (String) -> String)
    throws(TrainingError)
  {
    guard let step = TrainingCheckpoint.lastStep(checkpoint),
      let name = (try? FileManager.default.contentsOfDirectory(atPath: models.path))?
        .filter({ !$0.hasPrefix(".") && isBundle($0) }).sorted().last
    else { return }
    let bundle = models.appendingPathComponent(name).path
    throw .finished(folder: url.path, step: step, bundle: bundle, further: further(bundle))
  }

  var checkpoint: URL { url.appendingPathComponent("checkpoint.safetensors") }
  var best: URL { url.appendingPathComponent("best.safetensors") }
  var log: URL { url.appendingPathComponent("log.csv") }
  var validations: URL { url.appendingPathComponent("validation.csv") }
  var curves: URL { url.appendingPathComponent("curves.png") }
  var candidate: URL { url.appendingPathComponent("candidate") }
  var models: URL { url.appendingPathComponent("models") }
  var prepared: URL { url.appendingPathComponent("prepared") }
}
