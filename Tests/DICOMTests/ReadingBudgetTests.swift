import Dispatch
import Foundation
import Synchronization
import Testing

@testable import DICOM

@Suite struct ReadingBudgetTests {
  /// However many read at the same time, together they take no more than the budget; small ones do
  /// not wait, and one that is larger than the budget takes all of it.
  @Test func isSharedByAllReaders() {
    let taken = Mutex((now: 0, most: 0))
    let sizes = [300 << 20, 600 << 20, 4 << 30, 1 << 20]
    DispatchQueue.concurrentPerform(iterations: 40) { number in
      let size = sizes[number % sizes.count]
      let counted = size < 16 << 20 ? 0 : min(size, ReadingBudget.size)
      try? ReadingBudget.with(size) { () throws(DICOMError) in
        taken.withLock {
          $0.now += counted
          $0.most = max($0.most, $0.now)
        }
        usleep(1000)
        taken.withLock { $0.now -= counted }
      }
    }
    let (now, most) = taken.withLock { ($0.now, $0.most) }
    #expect(now == 0 && most >= ReadingBudget.size)
    // Sizes are counted in whole units.
    #expect(most <= ReadingBudget.size + 5 * (16 << 20))
  }

  /// An error gives back what was taken.
  @Test func isGivenBackAfterAnError() throws {
    for _ in 0..<3 {
      #expect(throws: DICOMError.self) {
        try ReadingBudget.with(ReadingBudget.size) { () throws(DICOMError) in
          throw DICOMError.tooLarge(file: "", reason: "")
        }
      }
    }
    try ReadingBudget.with(ReadingBudget.size) { () throws(DICOMError) in }
  }
}
