import Foundation
import SeriesProcessing

/// The largest resident memory that this process has had, in MB of 2^20 bytes.
func peakMemoryMB() -> Double {
  // What getrusage says includes the memory of the program that this one was started from.
  if let peak = MemoryBudget.peakResident { return Double(peak) / 1_048_576 }
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

/// The processor time that all threads of this process have taken, in seconds: where others use the
/// machine too it says more than the time of a clock.
func processorSeconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  let times = [usage.ru_utime, usage.ru_stime]
  return times.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
}

/// The median of at least one value.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
