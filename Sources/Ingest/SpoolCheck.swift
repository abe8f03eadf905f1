import DICOM
import Dispatch
import Foundation
import JobLedger
import SeriesReading
import Synchronization
import Wording

/// Files of the spool that are not what was received.
package struct DamagedSpool: Error, CustomStringConvertible {
  /// How many files were compared.
  var count: Int
  /// How many of them are not as they were received.
  package var damagedCount: Int { findings.count }
  /// Each with its SOP Instance UID and path.
  var findings: [String]

  package var description: String {
    let first = findings.prefix(3).joined(separator: "; ")
    let more = findings.count > 3 ? " and \(findings.count - 3) more" : ""
    return
      "\(findings.count) of \(counted(count, "file")) in the spool \(findings.count == 1 ? "is" : "are") not "
      + "as received, send the "
      + "series again: \(first)\(more)"
  }
}

/// Compares the files of a job with what the ledger says of them.
package struct SpoolCheck {
  private let state: StateDirectory

  package init(state: StateDirectory) { self.state = state }

  /// Hashes every file, on all processors: half a second for a thousand CT slices on two.
  ///
  /// - Throws: ``DamagedSpool``, or the error of a file that cannot be read now.
  package func verify(_ instances: [InstanceRecord]) async throws {
    let found = try await withCheckedThrowingContinuation { continuation in
      // Not on the cooperative pool, which the network and the ledger need.
      DispatchQueue.global().async { continuation.resume(with: Result { try findings(instances) }) }
    }
    guard found.isEmpty else { throw DamagedSpool(count: instances.count, findings: found) }
  }

  /// Which of the instances are on disk as they were received; nil where that cannot be told now.
  package func areIntact(_ instances: [InstanceRecord]) async -> [Bool?] {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        let intact = Mutex<[Int: Bool]>([:])
        DispatchQueue.concurrentPerform(iterations: instances.count) { index in
          // What cannot be read now stays unknown.
          guard let found = try? [finding(instances[index])] else { return }
          intact.withLock { $0[index] = found == [nil] }
        }
        let all = intact.withLock { $0 }
        continuation.resume(returning: instances.indices.map { all[$0] })
      }
    }
  }

  /// Files that are gone.
  package func missing(_ instances: [InstanceRecord]) -> DamagedSpool? {
    let found = instances.filter {
      $0.isPurged || access(state.file($0.spoolPath).path, F_OK) != 0
    }
    .map { text($0, $0.isPurged ? "was purged" : "is missing") }
    return found.isEmpty ? nil : DamagedSpool(count: instances.count, findings: found)
  }

  private func findings(_ instances: [InstanceRecord]) throws -> [String] {
    let results = Mutex<[Int: Result<String, any Error>]>([:])
    DispatchQueue.concurrentPerform(iterations: instances.count) { index in
      let result = Result { try finding(instances[index]) }
      if case .success(nil) = result { return }
      results.withLock { $0[index] = result.map { $0 ?? "" } }
    }
    return try results.withLock { $0 }.sorted { $0.key < $1.key }.map { try $0.value.get() }
  }

  /// What is wrong with a file; nil where it is as it was received.
  package func finding(_ instance: InstanceRecord) throws -> String? {
    if instance.isPurged { return text(instance, "was purged") }
    let file = state.file(instance.spoolPath)
    do {
      let (hash, _) = try datasetHash(of: file)
      return hash == instance.contentHash ? nil : text(instance, "was changed (SHA-256 differs)")
    } catch let error as DICOMError where error.isFileFault {
      return text(instance, "was changed and cannot be read")
    } catch {
      guard access(file.path, F_OK) != 0, errno == ENOENT else { throw error }
      return text(instance, "is missing")
    }
  }

  private func text(_ instance: InstanceRecord, _ what: String) -> String {
    "the file of instance \(instance.sopInstanceUID), \(state.file(instance.spoolPath).path), \(what)"
  }
}
