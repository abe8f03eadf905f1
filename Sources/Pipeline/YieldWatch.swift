import JobLedger
import Logging
import Segmentation
import Synchronization

/// Looks, while a job runs, whether it is to yield, and interrupts it then.
final class YieldWatch: Sendable {
  /// Of the job.
  let interruption: Interruption
  private let found: Finding
  private let task: Task<Void, Never>

  /// Why it was interrupted; nil where it was not.
  var reason: YieldReason? { found.reason.withLock { $0 } }

  private final class Finding: Sendable {
    let reason = Mutex<YieldReason?>(nil)
  }

  /// - Parameters:
  ///   - job: the job's number.
  ///   - ledger: which it is of.
  ///   - places: jobs that may run at the same time.
  ///   - logger: is told where the ledger cannot be read.
  init(job: Int64, ledger: Ledger, places: Int, logger: Logger) {
    let interruption = Interruption()
    let found = Finding()
    self.interruption = interruption
    self.found = found
    // A patch takes up to a second and a half, and a job yields within two; the many places of a cluster do not
    // each ask as often.
    let pause = Duration.milliseconds(400 * max(1, places / 32))
    task = Task {
      while !Task.isCancelled {
        do {
          if let reason = try ledger.reasonToYield(job: job, places: places) {
            found.reason.withLock { $0 = reason }
            return interruption.request()
          }
        } catch {
          // The job is not at fault, and what is wrong with the ledger shows up elsewhere.
          logger.debug("\(error)")
        }
        do { try await Task.sleep(for: pause) } catch { return }
      }
    }
  }

  /// Call it once the job does not run any more.
  func end() { task.cancel() }
}
