import Foundation
import Synchronization

/// Whether the parts of a process that receives still work, which a process that hangs cannot say of itself
/// as a whole.
///
/// Time is counted in looks, of which there is one a second: a process that was stopped, or a machine that
/// slept, has not looked meanwhile, and nothing in it counts as standing still.
public final class SignsOfLife: Sendable {
  /// A part that is watched.
  public struct Part: Sendable {
    fileprivate var name: String
    fileprivate var patience: Int
    fileprivate var isReading: Bool
    fileprivate var mark: @Sendable () -> UInt64?

    /// - Parameters:
    ///   - name: for the log, as "the listener on 127.0.0.1:11112".
    ///   - seconds: in which it changes its mark at least once.
    ///   - isReading: whether an object of a peer, or a file, is to blame where it does not.
    ///   - mark: another number whenever the part has gone on; nil while it has nothing to do.
    public init(
      _ name: String, within seconds: Int, isReading: Bool = false,
      mark: @escaping @Sendable () -> UInt64?
    ) {
      self.name = name
      patience = seconds
      self.isReading = isReading
      self.mark = mark
    }
  }

  /// A part that makes no progress.
  public struct Fault: Sendable, Equatable, Codable {
    /// Which one, and for how long.
    public var reason: String
    /// Whether an object of a peer, or a file, is to blame.
    public var isOfReading: Bool

    public init(reason: String, isOfReading: Bool) {
      self.reason = reason
      self.isOfReading = isOfReading
    }
  }

  private struct Watched {
    var part: Part
    var mark: UInt64?
    /// Looks since the mark has changed.
    var looks = 0
  }

  private let watched = Mutex<[Watched]>([])

  public init() {}

  /// Watches a part from now on.
  public func watch(_ part: Part) { watched.withLock { $0.append(Watched(part: part)) } }

  /// Looks once a second, on a thread of its own, until the process ends.
  public func begin() {
    Thread.detachNewThread { [self] in
      while true {
        Thread.sleep(forTimeInterval: 1)
        look()
      }
    }
  }

  func look() {
    watched.withLock { watched in
      for index in watched.indices {
        let mark = watched[index].part.mark()
        let goesOn = mark == nil || mark != watched[index].mark
        watched[index].looks = goesOn ? 0 : watched[index].looks + 1
        watched[index].mark = mark
      }
    }
  }

  /// A part that has not gone on for longer than it may; nil where all work.
  public var fault: Fault? {
    watched.withLock { watched in
      watched.first { $0.looks >= $0.part.patience }.map {
        Fault(
          reason: "\($0.part.name) has not gone on for \($0.looks) s",
          isOfReading: $0.part.isReading)
      }
    }
  }
}

extension SignsOfLife.Part {
  /// That tasks are run. Some of them copy large files from slow disks, for minutes at worst.
  public static func tasks() -> SignsOfLife.Part {
    let count = Count()
    Task.detached { [weak count] in
      while let count {
        count.add()
        try? await Task.sleep(for: .seconds(1))
      }
    }
    return SignsOfLife.Part("the running of tasks", within: 1800) { count.value }
  }

  private final class Count: Sendable {
    private let count = Atomic<UInt64>(0)
    var value: UInt64 { count.load(ordering: .relaxed) }
    func add() { count.wrappingAdd(1, ordering: .relaxed) }
  }
}
