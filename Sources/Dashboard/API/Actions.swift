import Foundation
import HTTPTypes
import Hummingbird
import JobLedger
import Logging

extension Dashboard {
  /// What operators do with jobs and with processing, from the pages' forms.
  func addActions(to pages: some RouterMethods<DashboardContext>) {
    pages.post("jobs/:job/:action") { request, context in
      let values = try await form(request, context)
      let changes = try await act(values, context)
      return back(values["page"], changes.map { "Job \($0.job) \($0.outcome)." }, context)
    }
    pages.post("processing/:action") { request, context in
      let values = try await form(request, context)
      let state = try await changeProcessing(values, context)
      return back("/queue", [state.text.capitalizedFirst + "."], context)
    }
  }

  /// Does something with the job of a path.
  ///
  /// - Throws: ``DashboardRefusal`` to who may only look, and for what is no action.
  func act(_ values: [String: String], _ context: DashboardContext) async throws -> [JobChange] {
    let person = try operatorName(context)
    let id = try context.parameters.require("job", as: Int64.self)
    let action = try Self.action(try context.parameters.require("action"), values)
    var selection = JobSelection()
    selection.jobs = [id]
    let wanted = selection
    let reason = values["reason"].map(\.trimmed).flatMap {
      $0.isEmpty ? nil : String($0.prefix(200))
    }
    let (study, changes) = try await offPool {
      let study = try job(id).studyInstanceUID
      return (study, try ledger.apply(action, to: wanted, reason: reason, by: person))
    }
    logger.notice(
      "job changed",
      metadata: [
        "job": "\(id)", "study": "\(study)", "user": "\(person)", "action": "\(action)",
      ])
    return changes
  }

  private static func action(
    _ name: String, _ values: [String: String]
  ) throws -> JobAction {
    func number(_ key: String) throws -> Int? {
      guard let text = values[key], !text.isEmpty else { return nil }
      guard let number = Int(text), (-1_000_000...1_000_000).contains(number) else {
        throw DashboardRefusal(.badRequest, "\(key) has to be a number")
      }
      return number
    }
    switch name {
    case "retry": return .retry
    case "cancel": return .cancel
    case "hold": return .hold
    case "release": return try number("volume").map { .releaseVolume($0) } ?? .release
    case "prioritize": return .prioritize(try number("priority") ?? 10)
    default: throw DashboardRefusal(.notFound, "there is no such action")
    }
  }

  /// Pauses, drains or resumes processing.
  ///
  /// - Throws: ``DashboardRefusal`` to who may only look, and for what is no action.
  func changeProcessing(
    _ values: [String: String], _ context: DashboardContext
  ) async throws -> ProcessingState {
    let person = try operatorName(context)
    let name = try context.parameters.require("action")
    let reason = values["reason"].map(\.trimmed).flatMap {
      $0.isEmpty ? nil : String($0.prefix(200))
    }
    let state = try await offPool {
      switch name {
      case "pause": try ledger.pauseProcessing(by: person, reason: reason)
      case "drain": try ledger.drainProcessing(by: person, reason: reason)
      case "resume": try ledger.resumeProcessing(by: person, reason: reason)
      default: throw DashboardRefusal(.notFound, "there is no such action")
      }
    }
    logger.notice("processing changed", metadata: ["user": "\(person)", "action": "\(name)"])
    return state
  }

  private func operatorName(_ context: DashboardContext) throws -> String {
    guard context.visitor.isOperator, let name = context.visitor.user else {
      throw DashboardRefusal(.forbidden, "only an operator may do this")
    }
    return name
  }

  /// The page on which the form was, with what came of it.
  private func back(
    _ page: String?, _ notices: [String], _ context: DashboardContext
  ) -> Response {
    if let identifier = context.visitor.sessionIdentifier {
      sessions.leave(notices, in: identifier)
    }
    // Only a path of ours.
    let isOurs = page.map { $0.hasPrefix("/") && !$0.hasPrefix("//") && !$0.contains("\\") }
    return .redirect(to: isOurs == true ? page ?? "/" : "/")
  }
}

extension String {
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
