import Wording

/// Refused files for people: those with one reason are counted, with the first few of them.
public struct RefusalSummary: Sendable {
  /// Most reasons that are told; of a folder of damaged files each may have its own.
  public static let maximumLines = 50
  private static let namedFiles = 3

  public private(set) var lines: [String] = []

  public init(_ refused: [ImageRefusal]) {
    var order: [String] = []
    var groups: [String: [ImageRefusal]] = [:]
    for refusal in refused {
      if groups[refusal.reason] == nil { order.append(refusal.reason) }
      groups[refusal.reason, default: []].append(refusal)
    }
    for reason in order {
      let group = groups[reason] ?? []
      guard group.count > Self.namedFiles else {
        lines += group.map(\.description)
        continue
      }
      let named = group.prefix(Self.namedFiles).compactMap(\.name).joined(separator: ", ")
      lines.append(
        "\(counted(group.count, "file")) not taken: \(reason) (\(named) and "
          + "\(group.count - Self.namedFiles) more)")
    }
    guard lines.count > Self.maximumLines else { return }
    let rest = lines.count - Self.maximumLines
    lines =
      lines.prefix(Self.maximumLines) + ["\(counted(rest, "more line")) about files not taken"]
  }
}
