import Foundation
import StrictYAML

/// The contents of `segmentd.yaml`. Relative paths are taken from the folder of that file.
///
/// ```swift
/// let configuration = try SiteConfiguration.load("/etc/segmentd/segmentd.yaml")
/// print(configuration.stateDirectory, configuration.rules.map(\.model))
/// ```
public struct SiteConfiguration: Decodable, Sendable {
  /// The folder of spool, results and ledger.
  public var stateDirectory = "/var/lib/segmentd"
  /// The C-STORE listeners; in the file `listener:`, one or a list.
  public var listeners: [Listener] = []
  public var watch: [Watch] = []
  /// The HTTP server; nil where there is none.
  public var web: Web?
  public var assembly = Assembly()
  public var geometry = Geometry()
  public var models = Models()
  public var rules: [Rule] = []
  public var results = Results()
  public var destinations: [Destination] = []
  public var querySource: QuerySource?
  /// Nil where there is none.
  public var worklist: Worklist?
  public var storageCommitment = StorageCommitment()
  public var retention = Retention()
  /// Nil where there is none.
  public var nightlyCheck: NightlyCheck?
  public var notifications = Notifications()
  public var audit = Audit()
  /// Nil where there is none.
  public var tracing: Tracing?
  public var inference = Inference()
  /// Nil where there is none.
  public var slurm: Slurm?
  /// Several listeners before one head.
  public var handover = Handover()
  public var log = Log()

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case stateDirectory, listener, watch, web, assembly, geometry, models, rules, results,
      destinations,
      querySource, worklist, storageCommitment, retention, nightlyCheck, notifications, audit,
      tracing, inference, slurm, handover, log
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
    stateDirectory =
      try values.decodeIfPresent(String.self, forKey: .stateDirectory) ?? stateDirectory
    listeners = try values.decodeIfPresent(Listeners.self, forKey: .listener)?.all ?? []
    watch = try values.decodeIfPresent([Watch].self, forKey: .watch) ?? []
    web = try values.decodeIfPresent(Web.self, forKey: .web)
    assembly = try values.decodeIfPresent(Assembly.self, forKey: .assembly) ?? assembly
    geometry = try values.decodeIfPresent(Geometry.self, forKey: .geometry) ?? geometry
    if let former = assembly.minimumSlices, !geometry.take(formerMinimumSlices: former) {
      throw DecodingError.dataCorruptedError(
        forKey: .assembly, in: values,
        debugDescription: "minimumSlices: \(former) is not geometry.minimumSlices: "
          + "\(geometry.rules.minimumSlices), whose former place it is")
    }
    models = try values.decodeIfPresent(Models.self, forKey: .models) ?? models
    rules = try values.decodeIfPresent([Rule].self, forKey: .rules) ?? []
    results = try values.decodeIfPresent(Results.self, forKey: .results) ?? results
    destinations = try values.decodeIfPresent([Destination].self, forKey: .destinations) ?? []
    querySource = try values.decodeIfPresent(QuerySource.self, forKey: .querySource)
    worklist = try values.decodeIfPresent(Worklist.self, forKey: .worklist)
    storageCommitment =
      try values.decodeIfPresent(StorageCommitment.self, forKey: .storageCommitment)
      ?? storageCommitment
    retention = try values.decodeIfPresent(Retention.self, forKey: .retention) ?? retention
    nightlyCheck = try values.decodeIfPresent(NightlyCheck.self, forKey: .nightlyCheck)
    notifications =
      try values.decodeIfPresent(Notifications.self, forKey: .notifications) ?? notifications
    audit = try values.decodeIfPresent(Audit.self, forKey: .audit) ?? audit
    tracing = try values.decodeIfPresent(Tracing.self, forKey: .tracing)
    inference = try values.decodeIfPresent(Inference.self, forKey: .inference) ?? inference
    slurm = try values.decodeIfPresent(Slurm.self, forKey: .slurm)
    handover = try values.decodeIfPresent(Handover.self, forKey: .handover) ?? handover
    log = try values.decodeIfPresent(Log.self, forKey: .log) ?? log
  }

  /// Reads and checks a configuration file.
  ///
  /// - Throws: ``ConfigurationError`` with the line of an unknown key or a wrong value.
  public static func load(_ file: String) throws(ConfigurationError) -> SiteConfiguration {
    try ConfigurationSource(file: file).configuration()
  }

  init(_ source: ConfigurationSource) throws(ConfigurationError) {
    let file = source.file
    var configuration: SiteConfiguration
    do {
      configuration = try StrictYAMLDecoder()
        .decode(SiteConfiguration.self, text: source.text, of: file)
    } catch {
      throw ConfigurationError(error)
    }
    let base = URL(fileURLWithPath: file).deletingLastPathComponent()
    func resolve(_ path: String) -> String {
      URL(fileURLWithPath: path, relativeTo: base).standardizedFileURL.path
    }
    configuration.stateDirectory = resolve(configuration.stateDirectory)
    for index in configuration.watch.indices {
      configuration.watch[index].folder = resolve(configuration.watch[index].folder)
    }
    configuration.querySource?.resolve(resolve)
    configuration.worklist?.resolve(resolve)
    configuration.handover.to?.resolve(resolve)
    for index in configuration.destinations.indices {
      configuration.destinations[index].resolve(resolve)
    }
    for index in configuration.storageCommitment.peers.indices {
      configuration.storageCommitment.peers[index].tls?.resolve(resolve)
    }
    for index in configuration.listeners.indices {
      configuration.listeners[index].tls?.resolve(resolve)
    }
    configuration.web?.tls?.resolve(resolve)
    configuration.nightlyCheck?.tls?.resolve(resolve)
    for index in configuration.notifications.recipients.indices {
      configuration.notifications.recipients[index].resolve(resolve)
    }
    configuration.audit.syslog?.tls?.resolve(resolve)
    configuration.tracing?.resolve(resolve)
    configuration.models.directories = configuration.models.directories.map(resolve)
    do throws(ConfigurationError) {
      try configuration.check(file: file)
    } catch .invalid(let name, nil, let message) {
      throw .invalid(
        file: name, line: StrictYAMLDecoder.line(ofKeyIn: message, text: source.text),
        message: message)
    }
    self = configuration
  }
}

extension SiteConfiguration {
  /// One watch folder.
  public struct Watch: Decodable, Sendable {
    public var folder: String
    /// A file is taken once its size has not changed for this long.
    public var settleSeconds = 5.0

    private enum CodingKeys: String, CodingKey, CaseIterable { case folder, settleSeconds }

    public init(folder: String) { self.folder = folder }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      folder = try values.decode(String.self, forKey: .folder)
      settleSeconds =
        try values.decodeIfPresent(Double.self, forKey: .settleSeconds) ?? settleSeconds
    }
  }

  /// When a series counts as complete, and what happens to one that does not.
  public struct Assembly: Decodable, Sendable {
    public var quietSeconds = 30.0
    /// Seconds without an instance that a series waits of which instances are known to be missing.
    public var incompleteSeconds: Double {
      max(quietSeconds, ownIncompleteSeconds ?? 10 * quietSeconds)
    }
    /// What the configuration says of it.
    let ownIncompleteSeconds: Double?
    /// What happens to a series with refused instances or an interrupted association.
    public var incompleteSeries = IncompleteSeries.hold

    /// The former place of `geometry.minimumSlices`, still read.
    let minimumSlices: Int?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case quietSeconds, incompleteSeconds, incompleteSeries, minimumSlices
    }

    public init() {
      minimumSlices = nil
      ownIncompleteSeconds = nil
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      minimumSlices = try values.decodeIfPresent(Int.self, forKey: .minimumSlices)
      quietSeconds = try values.decodeIfPresent(Double.self, forKey: .quietSeconds) ?? quietSeconds
      ownIncompleteSeconds = try values.decodeIfPresent(Double.self, forKey: .incompleteSeconds)
      incompleteSeries =
        try values.decodeIfPresent(IncompleteSeries.self, forKey: .incompleteSeries)
        ?? incompleteSeries
    }
  }

  /// Which models there are: those that come with the program, those of further folders, less some.
  public struct Models: Decodable, Sendable {
    public var directories: [String] = []
    /// Names of models that this site does not use, as their licence may demand: rules for them are
    /// not applied.
    public var exclude: [String] = []

    private enum CodingKeys: String, CodingKey, CaseIterable { case directories, exclude }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      directories = try values.decodeIfPresent([String].self, forKey: .directories) ?? []
      exclude = try values.decodeIfPresent([String].self, forKey: .exclude) ?? []
    }
  }

  /// How the network runs.
  public struct Inference: Decodable, Sendable {
    /// Where jobs are computed.
    public enum Executor: String, YAMLChoice, Sendable {
      /// In the daemon.
      case local
      /// By the nodes of a Slurm cluster.
      case slurm
    }
    public var executor = Executor.local
    /// What the network's arithmetic is of: results have the same bytes on every machine that computes them with the same
    /// one.
    public enum Instructions: String, YAMLChoice, Sendable {
      /// The fastest of each machine.
      case fastest
      case avx512, avx2, portable
    }
    public var instructionSet = Instructions.fastest
    /// Worker threads; 0 takes one for each processor.
    public var threads = 0
    /// Jobs that run side by side; the threads are divided among them.
    public var concurrentJobs = 1
    /// Memory for the whole process in GB (10⁹ bytes); 0 for what the system has.
    public var memoryLimitGB = 0.0
    /// Seconds of computing between two checkpoints of a job; 0 for none but that of an interruption.
    public var checkpointSeconds = 30.0

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case executor, instructionSet, threads, concurrentJobs, memoryLimitGB, checkpointSeconds
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      executor = try values.decodeIfPresent(Executor.self, forKey: .executor) ?? executor
      instructionSet =
        try values.decodeIfPresent(Instructions.self, forKey: .instructionSet) ?? instructionSet
      threads = try values.decodeIfPresent(Int.self, forKey: .threads) ?? threads
      concurrentJobs =
        try values.decodeIfPresent(Int.self, forKey: .concurrentJobs) ?? concurrentJobs
      memoryLimitGB =
        try values.decodeIfPresent(Double.self, forKey: .memoryLimitGB) ?? memoryLimitGB
      checkpointSeconds =
        try values.decodeIfPresent(Double.self, forKey: .checkpointSeconds) ?? checkpointSeconds
    }
  }

  /// What is logged.
  public struct Log: Decodable, Sendable {
    public enum Level: String, YAMLChoice, Sendable { case debug, info, warning, error }
    public var level = Level.info

    /// How an event is written.
    public enum Format: String, YAMLChoice, Sendable {
      /// As text where standard error is a terminal, otherwise as JSON.
      case auto
      /// A line for people.
      case text
      /// A line that is a JSON object.
      case json
    }
    public var format = Format.auto

    private enum CodingKeys: String, CodingKey, CaseIterable { case level, format }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      level = try values.decodeIfPresent(Level.self, forKey: .level) ?? level
      format = try values.decodeIfPresent(Format.self, forKey: .format) ?? format
    }
  }
}

extension SiteConfiguration {
  /// What tells this installation from others, written into every result as Device Serial Number
  /// (0018,1000): the AE title of its first listener.
  public var installation: String { listeners.first?.aeTitle ?? "SEGMENTD" }
}
