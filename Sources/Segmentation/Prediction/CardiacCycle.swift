import Volumes
import Wording

/// Why the two extremes of a heart's cycle are not to be had.
public enum CardiacCycleError: Error, Sendable, Equatable, CustomStringConvertible {
  case tooFewPhases(Int)
  /// The cavity is not larger at end-diastole; volumes in ml.
  case noContraction(endDiastolic: Double, endSystolic: Double)
  /// The ejection fraction is not that of a beating heart; all from 0 to 1.
  case implausibleFraction(cavity: String, found: Double, accepted: [Double])

  public var description: String {
    switch self {
    case .tooFewPhases(let count):
      "\(counted(count, "cardiac phase")) by Trigger Time (0018,1060): end-diastole and end-systole need at "
        + "least 2"
    case .noContraction(let endDiastolic, let endSystolic):
      "the cavity does not contract: \(formatted(endDiastolic)) ml at the phase taken as end-diastole, "
        + "\(formatted(endSystolic)) ml at that taken as end-systole"
    case .implausibleFraction(let cavity, let found, let accepted):
      "the ejection fraction of \(cavity) is \(formatted(found)), the model takes "
        + "\(formatted(accepted[0])) to \(formatted(accepted[1])): this does not look like the cine "
        + "of a beating heart"
    }
  }

  private func formatted(_ number: Double) -> String { Volumes.formatted(number, decimals: 2) }
}

/// The phases of a cine series over one heartbeat, and which of them are its extremes.
public struct CardiacCycle: Sendable, Equatable {
  /// Trigger Time (0018,1060) of each phase: ms after the R wave, ascending.
  public let triggerTimes: [Double]

  /// - Throws: ``CardiacCycleError/tooFewPhases(_:)``
  public init(triggerTimes: [Double]) throws(CardiacCycleError) {
    guard triggerTimes.count >= 2 else { throw .tooFewPhases(triggerTimes.count) }
    self.triggerTimes = triggerTimes
  }

  /// End-diastole by time: the phase nearest to the R wave, which begins the contraction.
  public var endDiastole: Int { 0 }

  /// End-systole by time: the phase nearest to 35 % of the cycle, where at rest the aortic valve
  /// closes. The cycle is as long as the phases, with their median step after the last.
  public var endSystole: Int {
    let steps = zip(triggerTimes.dropFirst(), triggerTimes).map { $0 - $1 }.sorted()
    let length = triggerTimes[triggerTimes.count - 1] - triggerTimes[0] + steps[steps.count / 2]
    let expected = triggerTimes[0] + 0.35 * length
    return triggerTimes.indices.min {
      abs(triggerTimes[$0] - expected) < abs(triggerTimes[$1] - expected)
    } ?? 0
  }

  /// The two extremes with the cavity's volume in ml.
  public struct Extremes: Sendable, Equatable {
    public var endDiastole: Int
    public var endSystole: Int
    public var endDiastolicVolume: Double
    public var endSystolicVolume: Double

    fileprivate func checked() throws(CardiacCycleError) -> Extremes {
      try CardiacCycle.checkContraction(from: endDiastolicVolume, to: endSystolicVolume)
      return self
    }
  }

  /// - Throws: ``CardiacCycleError/noContraction(endDiastolic:endSystolic:)``
  static func checkContraction(
    from endDiastolic: Double, to endSystolic: Double
  ) throws(CardiacCycleError) {
    guard endDiastolic > endSystolic else {
      throw .noContraction(endDiastolic: endDiastolic, endSystolic: endSystolic)
    }
  }

  /// The extremes by time, checked and corrected by the cavity's volume: from each the neighbour
  /// of larger (smaller) volume is taken until there is none. Phases follow one another in a ring.
  ///
  /// - Parameter cavity: the volume in ml at a phase; asked once for each phase that is looked at.
  /// - Throws: ``CardiacCycleError/noContraction(endDiastolic:endSystolic:)``, or what `cavity`
  ///   throws.
  public func extremes(cavity: (Int) async throws -> Double) async throws -> Extremes {
    var known: [Int: Double] = [:]
    func volume(_ phase: Int) async throws -> Double {
      if let volume = known[phase] { return volume }
      let volume = try await cavity(phase)
      known[phase] = volume
      return volume
    }
    func climb(from start: Int, sign: Double) async throws -> Int {
      let count = triggerTimes.count
      var best = start
      while true {
        var next = best
        for neighbour in [(best + 1) % count, (best + count - 1) % count] {
          let (theirs, own) = (try await volume(neighbour), try await volume(next))
          if sign * theirs > sign * own { next = neighbour }
        }
        guard next != best else { return best }
        best = next
      }
    }
    let largest = try await climb(from: endDiastole, sign: 1)
    let smallest = try await climb(from: endSystole, sign: -1)
    return try Extremes(
      endDiastole: largest, endSystole: smallest,
      endDiastolicVolume: try await volume(largest),
      endSystolicVolume: try await volume(smallest)
    ).checked()
  }

  /// The extremes by volume alone, where nothing tells the time of the phases: all are looked at.
  ///
  /// - Parameters:
  ///   - count: of the phases, at least 2.
  ///   - cavity: the volume in ml at a phase; asked once for each.
  /// - Throws: ``CardiacCycleError``, or what `cavity` throws.
  public static func extremes(
    ofAll count: Int, cavity: (Int) async throws -> Double
  ) async throws -> Extremes {
    guard count >= 2 else { throw CardiacCycleError.tooFewPhases(count) }
    var volumes: [Double] = []
    for phase in 0..<count { volumes.append(try await cavity(phase)) }
    let order = volumes.indices.sorted { volumes[$0] < volumes[$1] }
    let (smallest, largest) = (order[0], order[count - 1])
    return try Extremes(
      endDiastole: largest, endSystole: smallest, endDiastolicVolume: volumes[largest],
      endSystolicVolume: volumes[smallest]
    ).checked()
  }
}
