import Foundation

/// What is asked of one attribute.
public struct SeriesCriterion: Sendable, Equatable {
  public enum Condition: Sendable, Equatable {
    /// Codes or regular expressions, as the attribute's kind says. One of `include` must fit (all
    /// of them for attributes of several codes), and none of `exclude` may. An empty list asks
    /// nothing.
    case texts(include: [String], exclude: [String])
    /// At least `min` and at most `max`; nil is unbounded.
    case range(min: Double?, max: Double?)
    case flag(Bool)
  }

  public var attribute: SeriesAttribute
  public var condition: Condition

  public init(_ attribute: SeriesAttribute, _ condition: Condition) {
    self.attribute = attribute
    self.condition = condition
  }
}

/// Whether a series meets a criterion, and why.
public struct CriterionFinding: Sendable, Equatable, Codable {
  public var attribute: SeriesAttribute
  public var isMet: Bool
  /// What the series has, nil where it has nothing.
  public var found: String?
  /// What the criterion asks.
  public var wanted: String

  /// For example `sliceThickness is 5 mm, wanted at most 3 mm`.
  ///
  /// - Parameter showingText: whether free text of the file may be quoted, which a log must not.
  public func description(showingText: Bool) -> String {
    let isText = attribute.kind == .text
    let shownValue = isText && !showingText && found != nil ? "another text" : found ?? "absent"
    return isMet
      ? "\(attribute.rawValue) is \(isText && !showingText ? "as wanted" : shownValue) (\(wanted))"
      : "\(attribute.rawValue) is \(shownValue), wanted \(wanted)"
  }
}

extension SeriesCriterion {
  /// Assesses a series. An attribute that it lacks meets a criterion only where that merely excludes.
  public func assess(_ facts: SeriesFacts) -> CriterionFinding {
    let value = facts[attribute]
    return CriterionFinding(
      attribute: attribute, isMet: isMet(by: value), found: value.map(text), wanted: wanted)
  }

  private func isMet(by value: SeriesValue?) -> Bool {
    switch (condition, value) {
    case (.flag(let wanted), .flag(let found)): found == wanted
    case (.range(let min, let max), .numbers(let numbers)):
      !numbers.isEmpty
        && numbers.allSatisfy { number in
          // A decimal string of 16 characters is not exact.
          let slack = 1e-6 * Swift.max(1, abs(number))
          return (min ?? -.infinity) - slack <= number && number <= (max ?? .infinity) + slack
        }
    case (.texts(let include, let exclude), .codes(let codes)):
      includes(include, among: codes) && !exclude.contains { isAmong(codes, $0) }
    case (.texts(let include, let exclude), .text(let text)):
      (include.isEmpty || include.contains { matches($0, text) })
        && !exclude.contains { matches($0, text) }
    case (.texts(let include, _), nil): include.isEmpty
    default: false
    }
  }

  private func includes(_ wanted: [String], among codes: [String]) -> Bool {
    switch attribute.kind {
    case .codes: wanted.allSatisfy { isAmong(codes, $0) }
    default: wanted.isEmpty || wanted.contains { isAmong(codes, $0) }
    }
  }

  private func isAmong(_ codes: [String], _ code: String) -> Bool {
    codes.contains { $0.caseInsensitiveCompare(code) == .orderedSame }
  }

  private func matches(_ pattern: String, _ text: String) -> Bool {
    text.range(of: pattern, options: [.regularExpression, .caseInsensitive]) != nil
  }
}

// MARK: Messages

extension SeriesCriterion {
  private var unit: String {
    guard case .number(let unit) = attribute.kind, !unit.isEmpty else { return "" }
    return " \(unit)"
  }

  private var wanted: String {
    switch condition {
    case .flag(let wanted): wanted ? "yes" : "no"
    case .range(let min?, let max?): "\(formatted(min)) to \(formatted(max))\(unit)"
    case .range(let min?, nil): "at least \(formatted(min))\(unit)"
    case .range(nil, let max?): "at most \(formatted(max))\(unit)"
    case .range(nil, nil): "any number"
    case .texts(let include, let exclude):
      [
        include.isEmpty ? nil : include.joined(separator: wantsAll ? " and " : " or "),
        exclude.isEmpty ? nil : "not " + exclude.joined(separator: ", not "),
      ].compactMap(\.self).joined(separator: ", ")
    }
  }

  private var wantsAll: Bool { attribute.kind == .codes }

  private func text(_ value: SeriesValue) -> String {
    switch value {
    case .codes(let codes): printable(codes.joined(separator: "\\"))
    case .text(let text): "\"\(printable(text))\""
    case .numbers(let numbers): numbers.map(formatted).joined(separator: "\\") + unit
    case .flag(let flag): flag ? "yes" : "no"
    }
  }

  /// Text of a file made safe for one line.
  private func printable(_ text: String) -> String {
    String(
      text.unicodeScalars.prefix(64).map { $0.value < 32 || $0.value == 127 ? "?" : Character($0) })
  }
}

/// A number for a message, with at most three decimals.
package func formatted(_ number: Double) -> String {
  let rounded = (number * 1000).rounded() / 1000
  return rounded == rounded.rounded() && abs(rounded) < 1e9 ? "\(Int(rounded))" : "\(rounded)"
}
