import Explanation
import Foundation
import Hummingbird
import JobLedger

/// Studies in a list.
struct StudiesPage: Page {
  static let template = "studies"

  struct Row {
    var uid: String
    var short: String
    var patient: String?
    var state: String
    var reason: CompactText?
    var models: String
    var series: Int
    var modalities: String
    var at: ShownTime
    var picture: String?
    var summary: String?
  }

  struct Pages {
    var previous: String?
    var next: String?
  }

  var uid: String
  var isToday: Bool
  var studies: [Row]
  var hasStudies: Bool
  var nothing: String
  /// That there are more than are shown.
  var more: String?
  var pages: Pages?
}

/// All about a study.
struct StudyPage: Page {
  static let template = "study"

  struct Patient {
    var facts: [Fact]
  }

  struct Wait {
    var text: String
    var until: ShownTime?
  }

  struct Entry {
    var at: ShownTime
    var text: String
  }

  var uid: String
  var patient: Patient?
  var states: [String]
  var waits: [Wait]
  var hasWaits: Bool
  var jobs: [JobView]
  /// Of what models measured in all studies of the patient.
  var histories: [HistoryView]
  var hasHistories: Bool
  var story: [Entry]
}

extension Dashboard {
  private static let studiesOnPage = 50

  func todayPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let studies = try ledger.studies(
      since: Date(timeIntervalSinceNow: -24 * 3600), limit: Self.studiesOnPage + 1)
    var page = studiesPage(
      Array(studies.prefix(Self.studiesOnPage)), context, isToday: true,
      nothing: "Nothing has arrived in the last 24 hours.")
    if studies.count > Self.studiesOnPage {
      page.more = "These are the last \(Self.studiesOnPage); the others are under All studies."
    }
    return renderer.page(page, in: try frame("Today", request, context))
  }

  func studiesPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let uid = request.uri.queryParameters["uid"].map { String($0).trimmed } ?? ""
    let number = max(0, request.uri.queryParameters["page"].flatMap { Int($0) } ?? 0)
    let offset = min(number, 1_000_000) * Self.studiesOnPage
    let studies =
      uid.isEmpty
      ? try ledger.studies(limit: Self.studiesOnPage, offset: offset)
      : try ledger.studies(uid: uid, limit: 1)
    var page = studiesPage(
      studies, context, uid: uid, isToday: false,
      nothing: uid.isEmpty
        ? "No study has arrived yet." : "There is no study or series with this UID.")
    if uid.isEmpty {
      page.pages = StudiesPage.Pages(
        previous: number > 0 ? "/studies?page=\(number - 1)" : nil,
        next: studies.count == Self.studiesOnPage ? "/studies?page=\(number + 1)" : nil)
    }
    return renderer.page(page, in: try frame("Studies", request, context))
  }

  private func studiesPage(
    _ studies: [StudySummary], _ context: DashboardContext, uid: String = "", isToday: Bool,
    nothing: String
  ) -> StudiesPage {
    let showsPatients = showsPatients(to: context.visitor)
    return StudiesPage(
      uid: uid, isToday: isToday,
      studies: studies.map { row($0, showsPatients: showsPatients) },
      hasStudies: !studies.isEmpty, nothing: nothing)
  }

  private func row(_ study: StudySummary, showsPatients: Bool) -> StudiesPage.Row {
    let job = study.jobs.last { $0.state != "cancelled" }
    let pictured = study.jobs.last { job in
      job.supersededBy == nil && !ShownResult(job, in: state).pictures.isEmpty
    }
    let picture = pictured.flatMap { job in
      ShownResult(job, in: state).pictures.first.map { "/jobs/\(job.id)/pictures/\($0.number)" }
    }
    return StudiesPage.Row(
      uid: study.studyInstanceUID, short: shortened(study.studyInstanceUID),
      patient: showsPatients ? patient(study.studyInstanceUID)?.name : nil, state: study.state,
      reason: study.state == "held"
        ? study.jobs.last { $0.state == "held" }?.reason.map(CompactText.init) : nil,
      models: Set(study.jobs.map(\.model)).filter { !$0.isEmpty }.sorted().joined(separator: ", "),
      series: study.series, modalities: study.modalities.joined(separator: ", "),
      at: ShownTime(study.lastReceivedAt),
      picture: showsPatients ? picture : nil, summary: job?.summary)
  }

  func patient(_ study: String) -> DashboardPatient? {
    (try? ledger.files(ofStudy: study))?.first.flatMap { source.patient(file: $0) }
  }

  func studyPage(_ request: Request, _ context: DashboardContext) throws -> Response {
    let uid = try context.parameters.require("uid")
    let explanation = try explanation(uid)
    let showsPatients = showsPatients(to: context.visitor)
    let jobs = explanation.record.jobs.map(\.job)
    let possible = try PossibleActions(context.visitor.isOperator ? jobs : [], in: ledger)
    let patient = showsPatients ? patient(uid) : nil
    let histories = showsPatients ? try histories(ofPatientOf: uid) : []
    let page = StudyPage(
      uid: uid,
      patient: patient.map { patient in
        StudyPage.Patient(
          facts: [Fact(name: "Patient", value: patient.name)]
            + patient.facts.map { Fact(name: $0.name, value: $0.value) })
      },
      states: explanation.states,
      waits: explanation.waits.map { wait in
        StudyPage.Wait(text: wait.text, until: wait.until.map(ShownTime.init))
      },
      hasWaits: !explanation.waits.isEmpty,
      jobs: jobs.reversed().map {
        JobView($0, possible, result: showsPatients ? ShownResult($0, in: state) : nil)
      },
      histories: histories.map { HistoryView($0, study: uid) }, hasHistories: !histories.isEmpty,
      story: explanation.story.map { .init(at: ShownTime($0.at), text: $0.text) })
    return renderer.page(
      page, in: try frame("Study \(shortened(uid))", request, context, heading: "Study"))
  }

  /// - Throws: ``DashboardRefusal`` where the study is not known.
  func explanation(_ uid: String) throws -> StudyExplanation {
    do throws(LedgerError) {
      return StudyExplanation(try ledger.record(ofStudy: uid), waiting: settings.waiting)
    } catch .unknownStudy {
      throw DashboardRefusal(.notFound, "there is no study with this UID")
    }
  }
}

extension StudySummary {
  /// One word for the whole.
  var state: String {
    let states = Set(jobs.filter { $0.supersededBy == nil }.map(\.state))
    if isArriving { return "arriving" }
    if states.contains("running") { return "running" }
    if !states.isDisjoint(with: ["available", "retryable"]) { return "waiting" }
    if !states.isDisjoint(with: ["held", "discarded"]) { return "held" }
    return states.contains("completed") ? "done" : "no job"
  }
}

extension String {
  var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
