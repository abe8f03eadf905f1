import Explanation
import Foundation
import Hummingbird

/// Every reason for which something is held, what it means, and what to do.
struct ReasonsPage: Page {
  static let template = "reasons"

  struct Part {
    /// An anchor of the page that other pages may point to.
    var id: String
    var title: String
    var hasMeanings: Bool
    var reasons: [Reason]
  }

  struct Reason {
    var name: String
    /// Whether its table has a column for the meaning: a row sees its own values first.
    var hasMeanings: Bool
    var meaning: ShownText
    var advice: ShownText
  }

  var parts: [Part] = HeldReason.Part.allCases.map { part in
    let hasMeanings = part.reasons.contains { $0.meaning != nil }
    return Part(
      id: "\(part)", title: part.rawValue, hasMeanings: hasMeanings,
      reasons: part.reasons.map { reason in
        Reason(
          name: HeldReason.plain(reason.name), hasMeanings: hasMeanings,
          meaning: ShownText(HeldReason.plain(reason.meaning ?? "")),
          advice: ShownText(HeldReason.plain(reason.advice)))
      })
  }
}

extension Dashboard {
  func reasonsPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    var frame = try frame("Why a job is held", request, context)
    frame.isLive = false
    return renderer.page(ReasonsPage(), in: frame)
  }
}
