import Explanation
import Foundation
import Hummingbird
import JobLedger

/// What runs and waits.
struct QueuePage: Page {
  static let template = "queue"

  struct Series {
    var study: String
    var series: String
    var modality: String
    var instances: Int
    var sender: String
    var at: ShownTime
    var waits: String
  }

  var processing: String
  var isActive: Bool
  var jobs: [JobView]
  var hasJobs: Bool
  var nothing = "No job is running or waiting."
  var noteTitle = "Note"
  var more: String?
  var pending: [Series]
  var hasPending: Bool
  var morePending: String?
}

/// What waits for a person.
struct HeldPage: Page {
  static let template = "held"
  var jobs: [JobView]
  var hasJobs: Bool
  var nothing = "Nothing is held."
  var noteTitle = "Why"
  var more: String?
}

/// What was not taken.
struct RefusedPage: Page {
  static let template = "refused"

  struct Refusal {
    var at: ShownTime
    var from: String
    var status: String
    var reason: String
    var count: Int
    var instance: String
  }

  struct Association {
    var at: ShownTime
    var from: String
    var outcome: String
    var reason: String
  }

  struct Sender {
    var at: ShownTime
    var from: String
    var reason: String
    var count: Int
  }

  var senders: [Sender]
  var hasSenders: Bool
  /// In place of a list that is empty.
  var noSenders: String
  var refusals: [Refusal]
  var hasRefusals: Bool
  var more: String?
  var associations: [Association]
  var hasAssociations: Bool
  var moreAssociations: String?
}

/// Where results go.
struct DestinationsPage: Page {
  static let template = "destinations"

  struct Destination {
    var name: String
    /// How many results are in each state, by its name.
    var counts: [Fact]
    var oldest: String
  }

  var destinations: [Destination]
  var hasDestinations: Bool
  var stateNames: [String]
  var jobs: [JobView]
  var hasJobs: Bool
  var nothing = "Every result has been delivered."
  var noteTitle = "Why"
  var more: String?
}

extension Dashboard {
  private static let jobsOnPage = 100

  private func jobs(
    _ context: DashboardContext, _ change: (inout JobQuery) -> Void
  ) throws -> (jobs: [JobSummary], views: [JobView], more: String?) {
    var query = JobQuery()
    query.limit = Self.jobsOnPage
    change(&query)
    let jobs = try ledger.jobs(query)
    let possible = try PossibleActions(context.visitor.isOperator ? jobs : [], in: ledger)
    let all = jobs.count < Self.jobsOnPage ? jobs.count : try ledger.jobCount(query.selection)
    return (
      jobs, jobs.map { JobView($0, possible, result: nil) },
      all > jobs.count ? "\(jobs.count) of \(all); segmentd jobs list shows all." : nil
    )
  }

  func queuePage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let found = try jobs(context) { query in
      query.selection.states = [.running, .available, .retryable]
      query.order = .priority
      query.isDescending = true
    }
    let state = try ledger.processingState()
    let allPending = try ledger.pendingSeries()
    let pending = allPending.prefix(Self.jobsOnPage).map { series in
      QueuePage.Series(
        study: series.studyInstanceUID, series: series.seriesInstanceUID,
        modality: series.modality.isEmpty ? "series" : series.modality,
        instances: series.instances, sender: series.sender ?? "",
        at: ShownTime(series.lastReceivedAt),
        waits: series.waitText(settings.waiting))
    }
    let page = QueuePage(
      processing: state.text.capitalizedFirst + ".", isActive: state.mode == .active,
      jobs: found.views, hasJobs: !found.views.isEmpty, more: found.more, pending: pending,
      hasPending: !pending.isEmpty,
      morePending: allPending.count > pending.count
        ? "\(pending.count) of \(allPending.count); segmentd jobs list --pending shows all." : nil)
    return renderer.page(page, in: try frame("Queue", request, context))
  }

  func heldPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let found = try jobs(context) { query in
      query.selection.states = [.held]
      query.isDescending = true
    }
    let page = HeldPage(jobs: found.views, hasJobs: !found.views.isEmpty, more: found.more)
    return renderer.page(page, in: try frame("Held", request, context))
  }

  func refusedPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let all = try ledger.refusals()
    let refusals = all.suffix(Self.jobsOnPage).reversed().map { refusal in
      RefusedPage.Refusal(
        at: ShownTime(refusal.lastAt),
        from: [refusal.callingAETitle, refusal.peerAddress].compactMap(\.self)
          .joined(separator: ", "),
        status: refusal.instance.status.map { String(format: "%04X", $0) } ?? "",
        reason: refusal.instance.reason, count: refusal.count,
        instance: refusal.instance.sopInstanceUID ?? "")
    }
    let broken = try ledger.brokenAssociations(limit: Self.jobsOnPage + 1)
    let associations = broken.prefix(Self.jobsOnPage).map { association in
      RefusedPage.Association(
        at: ShownTime(association.endedAt ?? association.startedAt),
        from: "\(association.callingAETitle), \(association.peerAddress)",
        outcome: association.outcome?.rawValue ?? "", reason: association.message ?? "")
    }
    let known = source.refusedSenders
    let senders = (known ?? []).prefix(Self.jobsOnPage).map { sender in
      RefusedPage.Sender(
        at: ShownTime(sender.lastAt),
        from: [sender.name, sender.address].compactMap(\.self).joined(separator: ", "),
        reason: sender.reason, count: sender.count)
    }
    let page = RefusedPage(
      senders: senders, hasSenders: !senders.isEmpty,
      noSenders: known == nil ? "No audit log is kept: see audit.keepDays." : "None.",
      refusals: refusals, hasRefusals: !refusals.isEmpty,
      more: all.count > refusals.count
        ? "\(refusals.count) of \(all.count); segmentd jobs list --refused shows all." : nil,
      associations: associations, hasAssociations: !associations.isEmpty,
      moreAssociations: broken.count > associations.count
        ? "These are the last \(associations.count); there are more in the ledger." : nil)
    return renderer.page(page, in: try frame("Refused", request, context))
  }

  /// Those of the configuration, and others that the ledger has results for.
  func destinationNames(_ numbers: LedgerStatistics) -> [String] {
    settings.destinations
      + Set(numbers.deliveries.keys.map(\.destination)).subtracting(settings.destinations).sorted()
  }

  func destinationsPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let numbers = try statistics.read()
    let states: [DeliveryState] = [.waiting, .sending, .sent, .held, .delivered]
    let names = destinationNames(numbers)
    let destinations = names.map { name in
      DestinationsPage.Destination(
        name: name,
        counts: states.map {
          let count = numbers.deliveries[.init(destination: name, state: $0.rawValue)] ?? 0
          return Fact(name: $0.rawValue, value: "\(count)")
        },
        oldest: numbers.oldestUndelivered[name].map { ShownTime($0).text } ?? "")
    }
    var found = try jobs(context) { query in
      query.selection.deliveryStates = [.waiting, .sending, .sent, .held]
      query.isDescending = true
    }
    for (index, job) in found.jobs.enumerated() {
      let open = job.deliveries.filter { $0.state != "delivered" }.map {
        "\($0.destination): \($0.state)" + ($0.lastError.map { " (\($0))" } ?? "")
      }
      found.views[index].reason = ShownText(open.joined(separator: "; "))
      let advice = job.deliveries.compactMap { job.deliveryAdvice($0) }
      found.views[index].advice = advice.isEmpty ? nil : ShownText(advice.joined(separator: " "))
    }
    let page = DestinationsPage(
      destinations: destinations, hasDestinations: !destinations.isEmpty,
      stateNames: states.map(\.rawValue), jobs: found.views, hasJobs: !found.views.isEmpty,
      more: found.more)
    return renderer.page(page, in: try frame("Destinations", request, context))
  }
}
