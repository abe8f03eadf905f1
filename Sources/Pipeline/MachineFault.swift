import FileSystem
import Foundation
import Ingest
import JobLedger
import SeriesProcessing
import Synchronization

/// A fault of this machine and not of a study: no space, a read-only file system, no file
/// descriptors, no memory, access denied. It passes, or an administrator resolves it; what it stopped
/// waits for that and is never given up.
struct MachineFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// "no space left on device: /var/lib/segmentd/results/7/segmentation.dcm".
  var description: String

  private init(description: String) { self.description = description }

  init(_ error: SystemError, path: String) {
    description = ProcessingFault(error, path: path).description
  }

  /// - Returns: nil where the error is not known as a fault of the machine.
  init?(_ error: any Error) {
    switch error {
    case let fault as MachineFault: self = fault
    case let error as LedgerError:
      guard case .unavailable = error else { return nil }
      self.init(description: error.description)
    case let error as StateDirectoryError: self.init(description: error.description)
    case let failure as SlurmFailure:
      guard failure.kind == .machine else { return nil }
      self.init(description: failure.description)
    default:
      guard let fault = ProcessingFault(error) else { return nil }
      self.init(description: fault.description)
    }
  }

  /// The fault that keeps files from being written in a folder now; nil where they can be.
  ///
  /// - Parameters:
  ///   - folder: the folder to write in.
  ///   - bytes: that such a file needs. They are allocated and given back at once.
  static func present(in folder: URL, bytes: Int = 4096) -> MachineFault? {
    let path = folder.appendingPathComponent(".\(UUID().uuidString).part").path
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return MachineFault(SystemError(), path: folder.path) }
    defer {
      close(descriptor)
      unlink(path)
    }
    let number = posix_fallocate(descriptor, 0, off_t(max(bytes, 1)))
    // Other errors say that the file system cannot allocate, not that there is no space.
    let faults = [ENOSPC, EDQUOT, EROFS, EIO, EFBIG, ENOMEM]
    return faults.contains(number) ? MachineFault(SystemError(number), path: folder.path) : nil
  }
}

/// The fault of the machine that stopped the last job, and the bytes that this job needs.
final class MachineStall: Sendable {
  private let state = Mutex<(fault: MachineFault, bytes: Int)?>(nil)

  var fault: (fault: MachineFault, bytes: Int)? {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }
}
