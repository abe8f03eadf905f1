import StrictYAML

extension SiteConfiguration {
  /// What is removed, and when; by default nothing.
  public struct Retention: Decodable, Sendable, Equatable {
    /// Of received instances. Days are those since the last thing happened to their series.
    public struct Originals: Decodable, Sendable, Equatable {
      /// Of which a result was made and delivered, or in which nothing was found.
      public var completedDays: Double?
      /// Of which no model made anything.
      public var unusedDays: Double?
      /// Of held jobs.
      public var heldDays: Double?
      /// All together, in 10⁹ bytes.
      public var maximumGB: Double?

      private enum CodingKeys: String, CodingKey, CaseIterable {
        case completedDays, unusedDays, heldDays, maximumGB
      }

      public init() {}

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        completedDays = try values.decodeIfPresent(Double.self, forKey: .completedDays)
        unusedDays = try values.decodeIfPresent(Double.self, forKey: .unusedDays)
        heldDays = try values.decodeIfPresent(Double.self, forKey: .heldDays)
        maximumGB = try values.decodeIfPresent(Double.self, forKey: .maximumGB)
      }
    }

    /// Of the files of results.
    public struct Results: Decodable, Sendable, Equatable {
      /// Of those that count.
      public var currentDays: Double?
      /// Of those whose place another one took.
      public var supersededDays: Double?
      /// All together, in 10⁹ bytes.
      public var maximumGB: Double?

      private enum CodingKeys: String, CodingKey, CaseIterable {
        case currentDays, supersededDays, maximumGB
      }

      public init() {}

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        currentDays = try values.decodeIfPresent(Double.self, forKey: .currentDays)
        supersededDays = try values.decodeIfPresent(Double.self, forKey: .supersededDays)
        maximumGB = try values.decodeIfPresent(Double.self, forKey: .maximumGB)
      }
    }

    /// Of the history.
    public struct Events: Decodable, Sendable, Equatable {
      /// Shorter than this the history is never kept: six months.
      public static let fewestDays = 183.0
      public var days: Double?

      private enum CodingKeys: String, CodingKey, CaseIterable { case days }

      public init() {}

      public init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
        days = try values.decodeIfPresent(Double.self, forKey: .days)
      }
    }

    public var originals = Originals()
    public var results = Results()
    public var events = Events()
    /// Where less is free on the disk of the state directory, the oldest that is finished is removed
    /// whatever its age, in 10⁹ bytes.
    public var minimumFreeGB: Double?
    public var intervalMinutes = 60.0

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case originals, results, events, minimumFreeGB, intervalMinutes
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      originals = try values.decodeIfPresent(Originals.self, forKey: .originals) ?? originals
      results = try values.decodeIfPresent(Results.self, forKey: .results) ?? results
      events = try values.decodeIfPresent(Events.self, forKey: .events) ?? events
      minimumFreeGB = try values.decodeIfPresent(Double.self, forKey: .minimumFreeGB)
      intervalMinutes =
        try values.decodeIfPresent(Double.self, forKey: .intervalMinutes) ?? intervalMinutes
    }

    /// Whether anything is ever removed.
    public var isConfigured: Bool {
      !ages.isEmpty || events.days != nil
        || [originals.maximumGB, results.maximumGB, minimumFreeGB].contains { $0 != nil }
    }

    /// In days, of images and results, with their keys.
    private var ages: [(key: String, days: Double)] {
      [
        ("originals.completedDays", originals.completedDays),
        ("originals.unusedDays", originals.unusedDays), ("originals.heldDays", originals.heldDays),
        ("results.currentDays", results.currentDays),
        ("results.supersededDays", results.supersededDays),
      ].compactMap { key, days in days.map { (key, $0) } }
    }

    /// What is wrong with a value, with its key; nil for nothing.
    var problem: String? {
      for (key, days) in ages where !(0...36_500).contains(days) {
        return "\(key): \(days) is not between 0 and 36500"
      }
      let sizes = [
        ("originals.maximumGB", originals.maximumGB), ("results.maximumGB", results.maximumGB),
        ("minimumFreeGB", minimumFreeGB),
      ]
      for (key, size) in sizes {
        if let size, !(size > 0 && size <= 1e6) {
          return "\(key): \(size) is not above 0 and at most 1000000"
        }
      }
      guard intervalMinutes >= 1, intervalMinutes <= 10_080 else {
        return "intervalMinutes: \(intervalMinutes) is not between 1 and 10080"
      }
      return eventsProblem
    }

    private var eventsProblem: String? {
      guard let days = events.days else { return nil }
      guard days >= Events.fewestDays, days <= 36_500 else {
        return "events.days: \(days) is not between \(Int(Events.fewestDays)) and 36500"
      }
      guard let longest = ages.max(by: { $0.days < $1.days }), longest.days > days else {
        return nil
      }
      return
        "events.days: \(days) is less than \(longest.key): \(longest.days); the history is kept "
        + "no shorter than what it is about"
    }
  }
}

extension SiteConfiguration {
  func checkRetention(_ check: ValueCheck) throws(ConfigurationError) {
    if let problem = retention.problem { throw check.fault("retention.\(problem)") }
    guard let free = retention.minimumFreeGB else { return }
    let reserves = listeners.compactMap(\.limits.diskReserveGB)
    guard let reserve = reserves.max(), reserve >= free else { return }
    throw check.fault(
      "retention.minimumFreeGB: \(free) is not above listener.limits.diskReserveGB: \(reserve), below "
        + "which nothing is received")
  }
}
