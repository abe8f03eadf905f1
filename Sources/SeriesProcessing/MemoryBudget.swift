import FileSystem
import Foundation

/// A job that does not fit in memory.
public struct MemoryShortage: Error, Sendable, Equatable, CustomStringConvertible {
  /// The job's predicted peak and what the process takes without it, in bytes.
  public var job: Int
  public var process: Int
  /// What there is for both.
  public var capacity: Int
  /// What sets this capacity, with a verb.
  public var reason: String
  /// Whether waiting cannot help.
  public var isPermanent: Bool

  public var description: String {
    "the job needs \(gigabytes(job)) of memory at its peak on top of the \(gigabytes(process)) in "
      + "use, \(gigabytes(job + process)) in all; \(reason) \(gigabytes(capacity))"
  }
}

private func gigabytes(_ bytes: Int) -> String {
  String(format: "%.2f GB", Double(bytes) / 1e9)
}

/// The memory that this process may use: what the configuration allows, the control group that it
/// runs in (cgroup v2 or v1) and the machine have.
public struct MemoryBudget: Sendable {
  /// Bytes for the whole process; nil for what the system has.
  private let limit: Int?
  private let system: SystemMemory
  /// Whether a job can be run again with more memory than there is here, as where it was asked for: then no
  /// shortage is permanent.
  private let isExtensible: Bool
  private let reservations = MemoryReservations()
  /// What the process had before any job, in bytes: what it takes beyond that it may give back.
  private let baseline: Int

  /// - Parameter gigabytes: 10⁹ bytes for the whole process; 0 asks for what the system has.
  public init(gigabytes: Double) {
    self.init(limit: gigabytes > 0 ? byteCount(gigabytes: gigabytes) : nil)
  }

  /// - Parameters:
  ///   - limit: bytes for the whole process; nil for what the system has.
  ///   - isExtensible: whether a job can be run again elsewhere with more: no shortage is permanent then.
  public init(limit: Int?, isExtensible: Bool = false) {
    self.init(limit: limit, isExtensible: isExtensible, system: SystemMemory())
  }

  init(limit: Int?, isExtensible: Bool = false, system: SystemMemory) {
    self.limit = limit
    self.isExtensible = isExtensible
    self.system = system
    baseline = system.resident ?? 0
  }

  /// Admits a job that fits now, together with those that were admitted and have not ended. Each of these counts
  /// with all that it may take, on top of what the process has: how much of it is already taken is unknown.
  ///
  /// - Parameter job: the bytes that it takes at its peak beyond what the process has already.
  /// - Returns: the right to them, which ends with it.
  /// - Throws: ``MemoryShortage`` with the tightest bound.
  public func reserve(job: Int) throws(MemoryShortage) -> MemoryReservation {
    try reservations.add(job) { (others) throws(MemoryShortage) in
      try check(job: job, others: others)
    }
  }

  /// Checks that a job fits now.
  ///
  /// - Parameters:
  ///   - job: the bytes that it takes at its peak beyond what the process has already.
  ///   - others: bytes that other jobs may take.
  /// - Returns: what the process will have at its peak, in bytes.
  /// - Throws: ``MemoryShortage`` with the tightest bound.
  @discardableResult
  public func check(job: Int, others: Int = 0) throws(MemoryShortage) -> Int {
    let resident = system.resident ?? 0
    let process = resident + others
    func shortage(_ capacity: Int, _ reason: String, isPermanent: Bool) -> MemoryShortage {
      MemoryShortage(
        job: job, process: process, capacity: capacity, reason: reason, isPermanent: isPermanent)
    }
    var lasting: [(Int, String)] = []
    if let limit { lasting.append((limit, "the configured limit allows")) }
    if let group = system.groupLimit { lasting.append((group, "the control group's limit allows")) }
    if let total = system.total { lasting.append((total, "the machine allows")) }
    if let tightest = lasting.min(by: { $0.0 < $1.0 }), process + job > tightest.0 {
      // What others take, and what is kept of jobs that have ended, is given back.
      let isPermanent = !isExtensible && job + baseline > tightest.0
      throw shortage(tightest.0, tightest.1, isPermanent: isPermanent)
    }
    var present: [(Int, String)] = []
    if let free = system.groupFree {
      present.append((free + resident, "the control group now leaves"))
    }
    if let free = system.available { present.append((free + resident, "the machine now leaves")) }
    if let tightest = present.min(by: { $0.0 < $1.0 }), process + job > tightest.0 {
      throw shortage(tightest.0, tightest.1, isPermanent: false)
    }
    return process + job
  }

  /// The bytes of the largest job that ``check(job:others:)`` admits now; nil where nothing bounds it, negative where
  /// the process has more than it may.
  public var room: Int? {
    let resident = system.resident ?? 0
    let lasting = [limit, system.groupLimit, system.total].compactMap(\.self).map { $0 - resident }
    return (lasting + [system.groupFree, system.available].compactMap(\.self)).min()
  }

  /// The most memory that this process has had resident since its start, in bytes; nil where the
  /// system does not say (proc(5), VmHWM).
  public static var peakResident: Int? { SystemMemory().status("VmHWM") }

  /// The memory that a process has resident now, in bytes; nil where there is none or the system does not
  /// say (proc(5), VmRSS).
  public static func resident(ofProcess process: Int32) -> Int? {
    SystemMemory().status("VmRSS", of: "\(process)")
  }
}
