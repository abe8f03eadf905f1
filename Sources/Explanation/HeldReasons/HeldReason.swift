import Foundation

/// A reason for which a job or a delivery is held, and what an operator does about it: a row of the guide *Why a
/// job is held*, which has the same words, as have the dashboard, `segmentd explain` and `segmentd jobs list`.
///
/// The ledger keeps reasons as text. Each row knows what the text of its reason says in any case.
public struct HeldReason: Sendable, Equatable {
  /// A table of the guide.
  public enum Part: String, Sendable, CaseIterable {
    case instances = "Instances may be missing"
    case rules = "Rules"
    case geometry = "Geometry"
    case model = "The model does not take the series"
    case channels = "A model that takes several series"
    case cine = "A model of cine series"
    case cluster = "A job that a Slurm cluster computes"
    case faults = "Faults"
    case deliveries = "A delivery is held"

    public var reasons: [HeldReason] {
      switch self {
      case .instances: HeldReason.instances
      case .rules: HeldReason.rules
      case .geometry: HeldReason.geometry
      case .model: HeldReason.model
      case .channels: HeldReason.channels
      case .cine: HeldReason.cine
      case .cluster: HeldReason.cluster
      case .faults: HeldReason.faults
      case .deliveries: HeldReason.deliveries
      }
    }

    /// The heading of the first column, and whether the table says what each reason means.
    private var heading: String {
      switch self {
      case .instances, .rules, .cluster, .faults, .deliveries: "reason"
      case .geometry: "finding"
      case .model, .channels, .cine: "refusal"
      }
    }

    /// The table as the guide has it.
    public var markdown: String {
      let hasMeanings = reasons.contains { $0.meaning != nil }
      let columns = [heading] + (hasMeanings ? ["what it means"] : []) + ["what to do"]
      let rows = reasons.map { reason in
        [reason.name] + (hasMeanings ? [reason.meaning ?? ""] : []) + [reason.advice]
      }
      let lines = ([columns] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
      let rule = "|" + String(repeating: "---|", count: columns.count)
      return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }
  }

  public let part: Part
  /// In Markdown, as the other texts: the name of a case of the code, or a sentence.
  public let name: String
  public let meaning: String?
  public let advice: String
  /// The fixed words of a text that says this, each with "…" for what differs; any of them is enough.
  private let signs: [[String]]

  /// A row of a table.
  struct Row {
    var name: String
    var meaning: String?
    var signs: [String]
    var advice: String

    init(_ name: String, meaning: String? = nil, signs: [String], advice: String) {
      self.name = name
      self.meaning = meaning
      self.signs = signs
      self.advice = advice
    }
  }

  static func rows(_ part: Part, _ rows: [Row]) -> [HeldReason] {
    rows.map { row in
      HeldReason(
        part: part, name: row.name, meaning: row.meaning, advice: row.advice,
        signs: row.signs.map { $0.components(separatedBy: "…") })
    }
  }

  /// Of jobs, in the order in which they are looked for: a text may have the words of a later row in it.
  private static let ofJobs: [HeldReason] = {
    let tables = [faults, cluster, channels, cine, model, rules, instances, geometry]
    let all = tables.flatMap { $0 }
    let first = ["suspect", "`stackOfSeries`", "`incompleteCorrection`"]
    let last = ["`unreadable`"]
    return all.filter { first.contains($0.name) }
      + all.filter { !(first + last).contains($0.name) } + all.filter { last.contains($0.name) }
  }()

  /// What follows the text of a finding that was repaired, and holds nothing.
  private static let repairs = ["excluded", "filled by interpolation", "resampled to"]

  /// The reasons that a text of the ledger gives, in its order, each once; empty where none is known.
  ///
  /// - Parameters:
  ///   - text: why a job or a delivery is held.
  ///   - isDelivery: whether it is about a delivery.
  public static func reasons(in text: String, ofDelivery isDelivery: Bool = false) -> [HeldReason] {
    let table = isDelivery ? deliveries : ofJobs
    let pieces = text.replacing("at last: ", with: "; ").components(separatedBy: "; ")
    var found: [HeldReason] = []
    for (index, piece) in pieces.enumerated() {
      let next = pieces.dropFirst(index + 1).first ?? ""
      guard !repairs.contains(where: { next.hasPrefix($0) }),
        let reason = table.first(where: { $0.isMeant(by: piece) }), !found.contains(reason)
      else { continue }
      found.append(reason)
    }
    // That there are several volumes is said of a series that is held for something else too.
    return found.count == 1 ? found : found.filter { $0.name != "`severalVolumes`" }
  }

  private func isMeant(by text: String) -> Bool {
    signs.contains { words in
      var rest = text.utf8[...]
      for word in words {
        guard let place = rest.firstRange(of: word.utf8) else { return false }
        rest = rest[place.upperBound...]
      }
      return true
    }
  }
}
