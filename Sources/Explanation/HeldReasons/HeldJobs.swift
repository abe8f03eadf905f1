import Foundation
import JobLedger

extension HeldReason {
  /// So many reasons at most are given advice on, the gravest first.
  private static let mostAdvice = 3

  /// What to do about a text of the ledger, in sentences.
  ///
  /// - Parameters:
  ///   - text: why a job or a delivery is held.
  ///   - job: whose commands are named.
  ///   - isDelivery: whether it is about a delivery.
  static func advice(on text: String, of job: JobSummary, ofDelivery isDelivery: Bool) -> String {
    var advice: [String] = []
    for reason in reasons(in: text, ofDelivery: isDelivery)
    where !advice.contains(reason.advice) { advice.append(reason.advice) }
    if advice.isEmpty {
      let cancel = isDelivery ? "" : ", or `segmentd jobs cancel --job NUMBER`"
      advice = [
        "fix what the reason names, then `segmentd jobs retry --job NUMBER`\(cancel)"
      ]
    }
    return advice.prefix(mostAdvice).map { plain(sentence($0)) }.joined(separator: " ")
      .replacing("--job NUMBER", with: "--job \(job.id)")
      .replacing("--study UID", with: "--study \(job.studyInstanceUID)")
  }

  private static func sentence(_ text: String) -> String {
    "\(text.prefix(1).uppercased())\(text.dropFirst())\(text.hasSuffix(".") ? "" : ".")"
  }

  /// Markdown of the guide as text: commands as they are, links as the name of the page.
  public static func plain(_ markdown: String) -> String {
    let parts = markdown.replacing("`", with: "").components(separatedBy: "<doc:")
    return parts.dropFirst().reduce(parts[0]) { text, part in
      guard let end = part.firstIndex(of: ">") else { return text + part }
      let (page, rest) = (part[..<end].prefix { $0 != "#" }, part[part.index(after: end)...])
      return "\(text)guide \(page)\(rest)"
    }
  }
}

extension JobSummary {
  /// What a person does about it, by the reason for which it is held; nil where it is not held.
  public var advice: String? {
    guard ["held", "discarded"].contains(state) else { return nil }
    return HeldReason.advice(on: reason ?? "", of: self, ofDelivery: false)
  }

  /// Whether it is held because somebody has to choose one of the volumes of its series.
  public var waitsForChoiceOfVolume: Bool {
    state == "held"
      && HeldReason.reasons(in: reason ?? "").contains { $0.advice.contains("--volume N") }
  }

  /// What a person does about a delivery of its result, by the reason for which that is held; nil where it is not
  /// held.
  public func deliveryAdvice(_ delivery: Delivery) -> String? {
    guard delivery.state == "held" else { return nil }
    return HeldReason.advice(on: delivery.lastError ?? "", of: self, ofDelivery: true)
  }
}
