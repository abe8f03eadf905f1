import Foundation
import JobLedger

/// What a recipient is told at once: UIDs, names of destinations and numbers, nothing of a patient.
public struct NotificationMessage: Sendable, Codable, Equatable {
  /// The same for the same message: one that arrives again, as its answer was lost, can be recognised.
  public var id: String
  /// Of this segmentd: the AE title of its first listener.
  public var installation: String
  public var host: String
  public var at: Date
  /// In one line.
  public var summary: String
  public var isTest: Bool
  public var events: [Notice]
  /// How many more studies are held than are listed.
  public var omitted: Int

  static let listed = 50

  /// - Parameters:
  ///   - notices: what happened, the oldest first.
  ///   - installation: AE title of the first listener.
  ///   - host: name of this machine.
  ///   - now: the time.
  public init(_ notices: [Notice], installation: String, host: String, now: Date = Date()) {
    id = "\(installation)-\(notices.last?.event ?? 0)"
    self.installation = installation
    self.host = host
    at = now
    isTest = false
    summary = Self.summary(of: notices)
    var heldJobs = 0
    events = notices.filter { notice in
      guard notice.kind == .held || notice.kind == .deliveryHeld else { return true }
      heldJobs += 1
      return heldJobs <= Self.listed
    }
    omitted = notices.count - events.count
  }

  /// A message that says that it is a test.
  public init(testOf installation: String, host: String, now: Date = Date()) {
    id = "\(installation)-test-\(Int(now.timeIntervalSince1970))"
    self.installation = installation
    self.host = host
    at = now
    isTest = true
    summary = "test of the notifications"
    events = []
    omitted = 0
  }

  private static func summary(of notices: [Notice]) -> String {
    var parts: [String] = []
    func held(_ kind: Notice.Kind) -> [Notice] { notices.filter { $0.kind == kind } }
    func count(_ number: Int, _ one: String, _ many: String) {
      if number > 0 { parts.append("\(number) \(number == 1 ? one : many)") }
    }
    count(Set(held(.held).map { $0.study ?? "" }).count, "study held", "studies held")
    count(held(.deliveryHeld).count, "delivery held", "deliveries held")
    // The last one says what is now.
    for kinds in [
      (Notice.Kind.destinationFailing, Notice.Kind.destinationRecovered),
      (.diskShort, .diskRecovered), (.checkFailed, .checkRecovered),
    ] {
      var last: [String: Notice] = [:]
      for notice in notices where notice.kind == kinds.0 || notice.kind == kinds.1 {
        last[notice.subject] = notice
      }
      parts += last.keys.sorted().compactMap { last[$0].map(Self.words) }
    }
    return parts.joined(separator: "; ")
  }

  private static func words(_ notice: Notice) -> String {
    switch notice.kind {
    case .destinationFailing: "deliveries to \(notice.subject) fail"
    case .destinationRecovered: "deliveries to \(notice.subject) arrive again"
    case .diskShort: "little disk space left"
    case .diskRecovered: "enough disk space again"
    case .checkFailed: "the golden check of \(notice.subject) failed"
    case .checkRecovered: "the golden check of \(notice.subject) passes again"
    case .held, .deliveryHeld: notice.kind.rawValue
    }
  }

  /// For the header of a mail: ASCII in one line.
  public var subject: String {
    let text = "segmentd \(installation): \(summary)".unicodeScalars.map {
      (0x20...0x7E).contains($0.value) ? Character($0) : "?"
    }
    return String(text.prefix(200))
  }

  /// For people, in lines that end by LF.
  public var text: String {
    var lines = ["\(installation) on \(host), \(at.formatted(.iso8601))", "", summary, ""]
    if isTest {
      lines.append("This is a test: messages of segmentd arrive here.")
    }
    for event in events {
      let time = event.at.formatted(.iso8601)
      switch event.kind {
      case .held, .deliveryHeld:
        lines.append("\(time) \(event.kind.rawValue): \(event.reason)")
        if let study = event.study { lines.append("  study \(study)") }
        if let series = event.series { lines.append("  series \(series)") }
        if let job = event.job {
          lines.append("  job \(job)" + (event.model.map { ", model \($0)" } ?? ""))
        }
      case .destinationFailing, .destinationRecovered, .diskShort, .diskRecovered, .checkFailed,
        .checkRecovered:
        lines.append("\(time) \(event.kind.rawValue): \(event.reason)")
      }
    }
    if omitted > 0 { lines.append("and \(omitted) more that are held") }
    if events.contains(where: { $0.kind == .held || $0.kind == .deliveryHeld }) {
      lines += [
        "", "segmentd explain --study UID tells the story of a study,",
        "segmentd jobs --state held lists what needs a person.",
      ]
    }
    lines += ["", "segmentd is for research use only, not for clinical use."]
    return lines.joined(separator: "\n") + "\n"
  }

  /// For programs, with sorted keys and times in ISO 8601.
  public var json: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.dateEncodingStrategy = .iso8601
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self)
    }
  }
}

extension Notice {
  /// The destination, disk or model that an alarm is about.
  var subject: String {
    switch kind {
    case .destinationFailing, .diskShort:
      reason.range(of: ", since ").map { String(reason[..<$0.lowerBound]) } ?? reason
    case .destinationRecovered, .diskRecovered:
      reason.range(of: ", after ", options: .backwards).map { String(reason[..<$0.lowerBound]) }
        ?? reason
    case .checkFailed, .checkRecovered:
      reason.range(of: ": ").map { String(reason[..<$0.lowerBound]) } ?? reason
    case .held, .deliveryHeld: ""
    }
  }
}
