import Dispatch
import Foundation
import HTTPTypes
import Hummingbird
import JobLedger

/// Work that may block, on a thread that no request waits for.
func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
{
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Result(catching: work)) }
  }
}

extension Dashboard {
  private typealias SynchronousPage =
    @Sendable (Dashboard) -> (Request, DashboardContext) throws -> Response

  func addPages(to pages: some RouterMethods<DashboardContext>) {
    let synchronous: [(RouterPath, SynchronousPage)] = [
      ("", { $0.todayPage }), ("studies", { $0.studiesPage }), ("studies/:uid", { $0.studyPage }),
      ("queue", { $0.queuePage }), ("held", { $0.heldPage }),
      ("held/reasons", { $0.reasonsPage }), ("refused", { $0.refusedPage }),
      ("destinations", { $0.destinationsPage }), ("system", { $0.systemPage }),
    ]
    for (path, page) in synchronous {
      pages.get(path) { request, context in
        // The body of a request for a page is of no interest.
        try await offPool { try page(self)(request, context) }
      }
    }
    pages.get("models") { try await modelsPage($0, $1) }
    pages.get("rules") { try await rulesPage($0, $1) }
  }

  /// Pictures of results, and the viewer's page with its planes.
  func addPictures(to pages: some RouterMethods<DashboardContext>) {
    let group = pages.group("jobs/:job").add(middleware: PatientMiddleware(dashboard: self))
    group.get("pictures/:number") { _, context in
      let (job, number) = (
        try context.parameters.require("job", as: Int64.self),
        try context.parameters.require("number", as: Int.self)
      )
      return try await offPool { try picture(number, ofJob: job) }
    }
    group.get("viewer") { request, context in
      try await offPool { try viewerPage(request, context, object: 0) }
    }
    group.get("objects/:object/viewer") { request, context in
      let object = try context.parameters.require("object", as: Int.self)
      return try await offPool { try viewerPage(request, context, object: object) }
    }
    group.get("objects/:object") { _, context in
      let data = try JSONEncoder().encode(try await volume(context).description)
      return Self.answer(data, "application/json")
    }
    group.get("objects/:object/slices/:normal/:index") { request, context in
      let values = request.uri.queryParameters
      guard let low = values["low"].flatMap({ Float($0) }), low.isFinite,
        let high = values["high"].flatMap({ Float($0) }), high.isFinite
      else { throw DashboardRefusal(.badRequest, "low and high have to be numbers") }
      return try await plane(context) { $0.image(normal: $1, index: $2, low: low, high: high) }
    }
    group.get("objects/:object/labels/:normal/:index") { _, context in
      try await plane(context) { $0.labels(normal: $1, index: $2) }
    }
  }

  /// A picture by its number among those that are shown of a result.
  private func picture(_ number: Int, ofJob id: Int64) throws -> Response {
    let pictures = ShownResult(try job(id), in: state).pictures
    guard let picture = pictures.first(where: { $0.number == number }),
      let data = try? Data(contentsOf: state.appendingPathComponent(picture.path))
    else { throw DashboardRefusal(.notFound, "there is no such picture here") }
    return Self.answer(data, "image/png")
  }

  /// - Throws: ``DashboardRefusal`` where there is no such job.
  func job(_ id: Int64) throws -> JobSummary {
    do throws(LedgerError) { return try ledger.job(id).job } catch .unknownJob {
      throw DashboardRefusal(.notFound, "there is no job \(id)")
    }
  }

  private func volume(_ context: DashboardContext) async throws -> ViewedVolume {
    try await viewer.volume(
      job: try context.parameters.require("job", as: Int64.self),
      object: try context.parameters.require("object", as: Int.self))
  }

  private func plane(
    _ context: DashboardContext, _ cut: @escaping @Sendable (ViewedVolume, Int, Int) -> Data?
  ) async throws -> Response {
    guard planes.take(context.visitor.key(context.web.address)) else {
      throw DashboardRefusal(.tooManyRequests, "too many planes are asked for: try again")
    }
    let normal = try context.parameters.require("normal", as: Int.self)
    let index = try context.parameters.require("index", as: Int.self)
    let volume = try await volume(context)
    guard let data = try await offPool({ cut(volume, normal, index) }) else {
      throw DashboardRefusal(.notFound, "there is no such plane")
    }
    return Self.answer(data, "image/png")
  }

  private struct ViewerPage: Page {
    static let template = "viewer"

    struct Object {
      var name: String
      var path: String
      var isHere: Bool
    }

    var study: String
    var short: String
    var volume: String
    var objects: [Object]
    var hasObjects: Bool
    var measurements: [Fact]
    var hasMeasurements: Bool
  }

  private func viewerPage(
    _ request: Request, _ context: DashboardContext, object: Int
  ) throws -> Response {
    let job = try job(try context.parameters.require("job", as: Int64.self))
    let count = ShownResult(job, in: state).segmentations.count
    let page = ViewerPage(
      study: job.studyInstanceUID, short: shortened(job.studyInstanceUID),
      volume: "/jobs/\(job.id)/objects/\(object)",
      objects: (0..<count).map {
        .init(
          name: "Volume \($0 + 1)", path: "/jobs/\(job.id)/objects/\($0)/viewer",
          isHere: $0 == object)
      }, hasObjects: count > 1, measurements: job.shownMeasurements,
      hasMeasurements: !job.measurements.isEmpty)
    var frame = try frame(
      "Job \(job.id)", request, context, heading: "Job \(job.id): \(job.model)")
    frame.isLive = false
    frame.scripts = ["viewer.js"]
    return renderer.page(page, in: frame)
  }

  static func answer(
    _ data: Data, _ type: String, status: HTTPResponse.Status = .ok
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }
}

/// Shows pictures of patients to those alone who have logged in.
private struct PatientMiddleware: RouterMiddleware {
  typealias Context = DashboardContext
  let dashboard: Dashboard

  func handle(
    _ request: Request, context: DashboardContext,
    next: (Request, DashboardContext) async throws -> Response
  ) async throws -> Response {
    guard dashboard.showsPatients(to: context.visitor) else {
      throw DashboardRefusal(.forbidden, "pictures of patients are not shown here")
    }
    return try await next(request, context)
  }
}
