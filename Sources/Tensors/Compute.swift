import CKernels

/// The instruction sets that have kernels of their own.
public enum InstructionSet: String, Sendable, CaseIterable {
  case avx512, avx2, portable

  /// Whether this machine has it.
  public var isAvailable: Bool { kernelsNamed(rawValue) != nil }

  /// Those that this machine has.
  public static var available: [InstructionSet] { allCases.filter(\.isAvailable) }

  /// - Parameter available: those that there are.
  /// - Throws: ``MissingInstructionSet`` where it is not among them.
  public func check(among available: [InstructionSet] = Self.available)
    throws(MissingInstructionSet)
  {
    guard available.contains(self) else {
      throw MissingInstructionSet(wanted: self, available: available)
    }
  }

  fileprivate var name: String {
    switch self {
    case .avx512: "AVX-512 (F, BW, DQ, VL)"
    case .avx2: "AVX2 with FMA"
    case .portable: "portable code"
    }
  }
}

/// An instruction set that was asked for, and that this machine does not have.
public struct MissingInstructionSet: Error, Sendable, Equatable, CustomStringConvertible {
  public var wanted: InstructionSet
  /// Those that there are.
  public var available: [InstructionSet]

  public init(wanted: InstructionSet, available: [InstructionSet]) {
    self.wanted = wanted
    self.available = available
  }

  public var description: String {
    "this processor has no \(wanted.name), which inference.instructionSet asks for; it has "
      + available.map(\.rawValue).joined(separator: " and ")
  }
}

/// What computes: the kernels of one instruction set and the threads that run them.
///
/// Work is cut into blocks whose number does not depend on the number of threads, and each block
/// is computed by one thread, so results do not depend on the number of threads either.
/// Not Sendable: one caller at a time.
public final class Compute {
  let kernels: KernelTable
  /// Whether the instruction set was asked for, and not found: everything is computed by its kernels then.
  let isPinned: Bool
  private let pool: OpaquePointer
  /// Where the time of each kind of layer is added up, if anywhere.
  public var profile: Profile?

  /// - Parameters:
  ///   - threads: at least 1; fewer are used if the system cannot start as many.
  ///   - instructions: nil for the fastest of this machine (or what SEGMENTD_ISA names). Where it is given,
  ///     results are the same on every machine that has it.
  /// - Returns: nil if the machine lacks the instruction set or memory.
  public init?(threads: Int, instructions: InstructionSet? = nil) {
    guard let table = instructions.map({ kernelsNamed($0.rawValue) }) ?? kernelsBest(),
      let pool = workerPoolCreate(Int32(clamping: max(1, threads)))
    else { return nil }
    kernels = table.pointee
    isPinned = instructions != nil
    self.pool = pool
    BLAS.useOneThread()
  }

  deinit { workerPoolDestroy(pool) }

  /// The threads that run, the caller's included.
  public var threads: Int { Int(workerPoolCount(pool)) }

  /// The instruction set of the kernels.
  public var instructionSet: String { String(cString: kernels.name) }

  /// What the last digits of sums depend on: the instruction set and, where that was not asked for, the core
  /// that OpenBLAS found.
  public var arithmetic: String {
    isPinned ? instructionSet : "\(instructionSet), OpenBLAS \(blasCoreName())"
  }

  /// Runs `body(block, worker)` for every block in 0..<count; a worker has a contiguous share, of which those
  /// that have finished theirs take the last blocks.
  public func run(blocks count: Int, _ body: (_ block: Int, _ worker: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var job = Job(body: body)
      withUnsafeMutablePointer(to: &job) { pointer in
        workerPoolRunBlocks(
          pool, Int32(count),
          { context, block, worker in
            guard let job = context?.assumingMemoryBound(to: Job.self) else { return }
            job.pointee.body(Int(block), Int(worker))
          }, pointer)
      }
    }
  }

  private struct Job { let body: (Int, Int) -> Void }
}

extension Compute {
  /// Runs `body`; while there is a profile, its time and the work stated go there.
  public func timed(
    _ kind: String, multiplyAdds: Int = 0, exponentials: Int = 0, bytes: Int = 0,
    _ body: () -> Void
  ) {
    guard let profile else { return body() }
    let elapsed = ContinuousClock().measure(body)
    profile.add(kind, elapsed / .seconds(1), multiplyAdds, exponentials, bytes)
  }
}
