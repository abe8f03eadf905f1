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

  /// As it is read.
  public var text: String {
    switch self {
    case .all: "all"
    case .extremes: "ed-es"
    case .list(let numbers): numbers.map(String.init).joined(separator: ",")
    }
  }
}

/// How the phases of a cine series are segmented.
public struct CineRule: Sendable, Equatable {
  public var phases: PhaseChoice
  /// Labels of cavities whose volumes are followed over the heartbeat; the first one decides which
  /// phases are its extremes.
  public var cavities: [UInt8]
  /// The label whose end-diastolic volume gives the mass of the myocardium; nil for none.
  public var myocardium: UInt8?
  /// The plausible ejection fractions of the first cavity; nil where that is not stated.
  public var ejectionFraction: EjectionFractionLimit?

  public init(
    phases: PhaseChoice, cavities: [UInt8], myocardium: UInt8? = nil,
    ejectionFraction: EjectionFractionLimit? = nil
  ) {
    self.phases = phases
    self.cavities = cavities
    self.myocardium = myocardium
    self.ejectionFraction = ejectionFraction
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["phases", "cavities", "myocardium", "ejectionFraction"])
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
    myocardium = try node.optional("myocardium").map { node throws(ModelBundleError) in
      UInt8(try node.integer(in: 1...max(1, classes - 1)))
    }
    ejectionFraction = try node.optional("ejectionFraction").map {
      node throws(ModelBundleError) in try EjectionFractionLimit(node)
    }
  }
}

/// The range in which the ejection fraction of a cavity must be for a series to be that of a heart.
public struct EjectionFractionLimit: Sendable, Equatable {
  /// As in training; beyond it the result carries a warning.
  public var usual: [Double]
  /// Beyond it the series is held.
  public var accepted: [Double]

  public init(usual: [Double], accepted: [Double]) {
    self.usual = usual
    self.accepted = accepted
  }

  init(_ node: BundleNode) throws(ModelBundleError) {
    let node = try node.allowing(["usual", "accepted"])
    usual = try node.required("usual").range()
    accepted = try node.required("accepted").range()
    guard accepted[0] <= usual[0], usual[1] <= accepted[1], accepted[0] >= 0, accepted[1] <= 1
    else { throw node.invalid("accepts less than is usual, or is not from 0 to 1") }
  }
}
