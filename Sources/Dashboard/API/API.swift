import Explanation
import Foundation
import HTTPTypes
import Hummingbird
import JobLedger

extension Dashboard {
  /// The same for programs: JSON, with a token or a session, as `openapi.json` describes.
  func addAPI(to pages: some RouterMethods<DashboardContext>) {
    let api = pages.group("api/v1")
    api.get("openapi.json") { _, _ in
      Self.answer(Data(PackageResources.openapi_json), "application/json")
    }
    api.get("studies") { request, _ in
      let values = request.uri.queryParameters
      let limit = try Self.number("limit", values, 1...1000) ?? 100
      let offset = try Self.number("offset", values, 0...100_000_000) ?? 0
      let uid = values["uid"].map(String.init)
      return try await json {
        try ledger.studies(uid: uid, limit: limit, offset: offset)
      }
    }
    api.get("studies/:uid") { _, context in
      let uid = try context.parameters.require("uid")
      return try await json { try explanation(uid) }
    }
    api.get("studies/:uid/rules") { _, context in
      let uid = try context.parameters.require("uid")
      let trial = try await trial(ofStudy: uid, context)
      return try await json { try RuleTrialAnswer(trial) }
    }
    api.get("studies/:uid/measurements") { _, context in
      let uid = try context.parameters.require("uid")
      guard showsPatients(to: context.visitor) else {
        throw DashboardRefusal(.forbidden, "what belongs to one patient is not shown here")
      }
      return try await json {
        _ = try explanation(uid)
        return try histories(ofPatientOf: uid)
      }
    }
    api.get("jobs") { request, _ in
      let query = try Self.query(request)
      return try await json { try ledger.jobs(query).map { AdvisedJob($0.withoutFiles) } }
    }
    api.get("jobs/:job") { _, context in
      let id = try context.parameters.require("job", as: Int64.self)
      return try await json {
        _ = try job(id)
        var detail = try ledger.job(id)
        detail.job = detail.job.withoutFiles
        detail.refusals = detail.refusals.map(\.withoutFile)
        return AdvisedJobDetail(detail)
      }
    }
    api.post("jobs/:job/:action") { request, context in
      let changes = try await act(try await form(request, context), context)
      return try await json { changes }
    }
    api.get("processing") { _, _ in try await json { try ledger.processingState() } }
    api.post("processing/:action") { request, context in
      let state = try await changeProcessing(try await form(request, context), context)
      return try await json { state }
    }
    api.get("refused") { _, _ in
      try await json { try ledger.refusals().map(\.withoutFile) }
    }
    api.get("senders/refused") { _, _ in try await json { source.refusedSenders ?? [] } }
    api.get("associations") { request, _ in
      let limit = try Self.number("limit", request.uri.queryParameters, 1...1000) ?? 100
      return try await json { try ledger.brokenAssociations(limit: limit) }
    }
    api.get("pending") { _, _ in try await json { try ledger.pendingSeries() } }
    api.get("rules") { _, _ in try await json { source.rules.map(RuleAnswer.init) } }
    api.get("destinations") { _, _ in try await json { try destinations() } }
    api.get("models") { _, _ in
      let (models, faults) = await source.models()
      return try await json {
        ModelsAnswer(
          models: models.map(ModelsAnswer.Model.init), faults: faults,
          quality: try statistics.read().quality)
      }
    }
    api.get("system") { _, _ in try await json { try system() } }
  }

  private func destinations() throws -> [DestinationAnswer] {
    let numbers = try statistics.read()
    let names = destinationNames(numbers)
    return names.map { name in
      let own = numbers.deliveries.filter { $0.key.destination == name }
      return DestinationAnswer(
        name: name,
        deliveries: Dictionary(uniqueKeysWithValues: own.map { ($0.key.state, $0.value) }),
        oldestUndelivered: numbers.oldestUndelivered[name])
    }
  }

  private func system() throws -> SystemAnswer {
    let now = Date()
    let numbers = try statistics.read()
    return SystemAnswer(
      version: version, numbers: .init(numbers),
      listeners: numbers.listeners.map(SystemAnswer.Listener.init),
      goldenChecks: numbers.goldenChecks,
      processing: try ledger.processingState(),
      diskFreeBytes: source.disk?.available, diskSizeBytes: source.disk?.total,
      memoryBytes: Dictionary(uniqueKeysWithValues: source.memory.map { ($0.process, $0.bytes) }),
      lastHour: try ledger.throughput(since: now - 3600),
      lastDay: try ledger.throughput(since: now - 86_400))
  }

  private static func number(
    _ key: String, _ values: Parameters, _ range: ClosedRange<Int>
  ) throws -> Int? {
    guard let text = values[key[...]] else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw DashboardRefusal(
        .badRequest, "\(key) has to be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private static func query(_ request: Request) throws -> JobQuery {
    let values = request.uri.queryParameters
    var query = JobQuery()
    query.limit = try number("limit", values, 1...1000) ?? 100
    query.offset = try number("offset", values, 0...100_000_000) ?? 0
    query.isDescending = true
    query.selection.study = values["study"].map(String.init)
    query.selection.series = values["series"].map(String.init)
    query.selection.model = values["model"].map(String.init)
    query.selection.destination = values["destination"].map(String.init)
    query.selection.deliveryStates = try named("delivery", values)
    query.selection.states = try named("state", values)
    return query
  }

  /// All values of a key, each the name of a case.
  private static func named<Value: RawRepresentable<String> & CaseIterable>(
    _ key: String, _ values: Parameters
  ) throws -> [Value] {
    try values.getAll(key).map { text in
      guard let value = Value(rawValue: text) else {
        throw DashboardRefusal(
          .badRequest,
          "\(key) has to be one of " + Value.allCases.map(\.rawValue).joined(separator: ", "))
      }
      return value
    }
  }

  private func json(
    _ value: @escaping @Sendable () throws -> some Encodable & Sendable
  ) async throws -> Response {
    let data = try await offPool {
      let encoder = JSONEncoder()
      encoder.dateEncodingStrategy = .iso8601
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(try value())
    }
    return Self.answer(data, "application/json")
  }
}
