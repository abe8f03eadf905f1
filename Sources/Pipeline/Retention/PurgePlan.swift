import Foundation
import JobLedger

/// What a purge removes, and by which rule.
public struct PurgePlan: Sendable, Codable, Equatable {
  /// The originals of a series, or the files of a result.
  public struct Item: Sendable, Codable, Equatable {
    public var what: KeptFiles
    /// The key of the configuration and its value, such as "originals.completedDays: 30".
    public var rule: String
    public var files: Int
    public var bytes: Int
  }

  /// Everything of a kind that one rule removes.
  public struct Total: Sendable, Codable, Equatable {
    public var kind: KeptFiles.Kind
    public var rule: String
    /// How many series or results.
    public var items: Int
    public var files: Int
    public var bytes: Int
  }

  /// In the order in which they are removed.
  public var items: [Item] = []
  /// The oldest events; nil where none are removed by the configuration.
  public var events: RemovableEvents?
  /// Bytes that are free on the disk, where the configuration says how many there have to be.
  public var freeBytes: Int?
  /// Bytes that the disk, or what is kept, is still beyond its bounds afterwards, as nothing more is
  /// finished: by the rule.
  public var shortfalls: [String: Int] = [:]

  public init() {}

  public var bytes: Int { items.reduce(0) { $0 + $1.bytes } }

  /// One for each kind and rule, in the order of the first item.
  public var totals: [Total] {
    var totals: [Total] = []
    for item in items {
      let index =
        totals.firstIndex { $0.kind == item.what.kind && $0.rule == item.rule }
        ?? {
          totals.append(
            Total(kind: item.what.kind, rule: item.rule, items: 0, files: 0, bytes: 0))
          return totals.count - 1
        }()
      totals[index].items += 1
      totals[index].files += item.files
      totals[index].bytes += item.bytes
    }
    return totals
  }
}
