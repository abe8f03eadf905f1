/// Which phases of a cine series are segmented.
public enum PhaseChoice: Sendable, Equatable {
  case all
  /// End-diastole and end-systole.
  case extremes
  /// Numbers of phases by time, from 1.
  case list([Int])

  /// Reads `all`, `ed-es`, or numbers from 1 with commas between them.
  public init?(_ text: String) {
    switch text {
    case "all": self = .all
    case "ed-es": self = .extremes
    default:
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { Int($0) }
      guard numbers.count == parts.count, numbers.allSatisfy({ $0 > 0 }),
        Set(numbers).count == numbers.count
      else { return nil }
      self = .list(numbers)
    }
  }
}

/// How the phases of a cine series are segmented.
public struct CineRule: Sendable, Equatable {
  public var phases: PhaseChoice
  /// Labels of cavities whose volumes are followed over the heartbeat; the first one decides which
  /// phases are its extremes.
  public var cavities: [UInt8]

  public init(phases: PhaseChoice, cavities: [UInt8]) {
    self.phases = phases
    self.cavities = cavities
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["phases", "cavities"])
    let phasesNode = try node.required("phases")
    var text = ""
    if phasesNode.isList {
      var numbers: [String] = []
      for item in try phasesNode.items() { numbers.append("\(try item.integer(in: 1...10_000))") }
      text = numbers.joined(separator: ",")
    } else {
      text = try phasesNode.text()
    }
    guard let choice = PhaseChoice(text) else {
      throw phasesNode.invalid("is neither all, ed-es nor a list of numbers that differ")
    }
    phases = choice
    cavities = []
    let cavitiesNode = try node.required("cavities")
    for item in try cavitiesNode.items() {
      cavities.append(UInt8(try item.integer(in: 1...max(1, classes - 1))))
    }
    guard !cavities.isEmpty else { throw cavitiesNode.invalid("names no label") }
  }
}
