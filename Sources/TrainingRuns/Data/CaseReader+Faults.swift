import Dispatch
import Evaluation
import Synchronization

extension CaseReader {
  /// What is wrong with cases, in their order. Several are read at a time, and none is kept.
  func faults(in files: [CaseFiles], threads: Int) -> [TrainingDataError] {
    let found = Mutex<[Int: TrainingDataError]>([:])
    let workers = max(1, min(threads, files.count))
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      for index in stride(from: worker, to: files.count, by: workers) {
        do throws(TrainingDataError) {
          _ = try read(files[index])
        } catch {
          found.withLock { $0[index] = error }
        }
      }
    }
    return found.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
  }
}
