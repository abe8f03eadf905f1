import JobLedger
import SeriesSelection

/// Which destinations get the result of a job.
///
/// ```swift
/// let routing: ResultRouting = ["pacs", "archive"]
/// let targets = try routing.targets(of: job)
/// ```
public struct ResultRouting: Sendable, ExpressibleByArrayLiteral {
  /// A destination and what it asks of a job.
  public struct Route: Sendable {
    public var target: DeliveryTarget
    /// Nil for any model.
    public var models: Set<String>?
    /// The result is one of a job of these rules: for their model, of a series that they match. Nil for
    /// any.
    public var rules: [ModelRule]?
    public var criteria = SeriesCriteria()

    public init(_ target: DeliveryTarget) { self.target = target }

    /// Whether more has to be known of the series than its job says.
    var needsFacts: Bool { rules != nil || !criteria.required.isEmpty }

    func takes(model: String) -> Bool {
      models.map { $0.contains(model) } ?? true
        && rules.map { $0.contains { $0.model == model } } ?? true
    }

    func takes(_ facts: SeriesFacts, model: String) -> Bool {
      criteria.score(facts).isMatch
        && rules.map {
          $0.contains { $0.model == model && $0.criteria.score(facts).isMatch }
        } ?? true
    }
  }

  private let routes: [Route]
  private let facts: @Sendable (ClaimedJob) throws -> SeriesFacts?

  /// - Parameters:
  ///   - routes: of all destinations.
  ///   - facts: what is known of a job's series; called where a route asks for it.
  public init(_ routes: [Route], facts: @escaping @Sendable (ClaimedJob) throws -> SeriesFacts?) {
    self.routes = routes
    self.facts = facts
  }

  /// Destinations that get everything.
  public init(arrayLiteral names: String...) {
    self.init(names.map { Route(DeliveryTarget($0)) }) { _ in nil }
  }

  /// - Throws: what reading the series throws.
  public func targets(of job: ClaimedJob) throws -> [DeliveryTarget] {
    let possible = routes.filter { $0.takes(model: job.model) }
    let facts = possible.contains(where: \.needsFacts) ? try facts(job) : nil
    return possible.filter { route in
      !route.needsFacts || facts.map { route.takes($0, model: job.model) } ?? false
    }.map(\.target)
  }
}
