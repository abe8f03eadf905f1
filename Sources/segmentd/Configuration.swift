import Foundation
import SeriesSelection

/// The contents of `segmentd.yaml`. Relative paths are taken from the folder of that file.
struct Configuration: Decodable, Sendable {
  /// Where spool, results and ledger live.
  var stateDirectory = "/var/lib/segmentd"
  var listener: Listener?
  var watch: [Watch] = []
  var assembly = Assembly()
  var geometry = Geometry()
  var models = Models()
  var rules: [Rule] = []
  var destinations: [Destination] = []
  var inference = Inference()
  var log = Log()

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case stateDirectory, listener, watch, assembly, geometry, models, rules, destinations,
      inference, log
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
    stateDirectory =
      try values.decodeIfPresent(String.self, forKey: .stateDirectory) ?? stateDirectory
    listener = try values.decodeIfPresent(Listener.self, forKey: .listener)
    watch = try values.decodeIfPresent([Watch].self, forKey: .watch) ?? []
    assembly = try values.decodeIfPresent(Assembly.self, forKey: .assembly) ?? assembly
    geometry = try values.decodeIfPresent(Geometry.self, forKey: .geometry) ?? geometry
    models = try values.decodeIfPresent(Models.self, forKey: .models) ?? models
    rules = try values.decodeIfPresent([Rule].self, forKey: .rules) ?? []
    destinations = try values.decodeIfPresent([Destination].self, forKey: .destinations) ?? []
    inference = try values.decodeIfPresent(Inference.self, forKey: .inference) ?? inference
    log = try values.decodeIfPresent(Log.self, forKey: .log) ?? log
  }

  /// Reads and checks a configuration file.
  static func load(_ file: String) throws(ConfigurationError) -> Configuration {
    var configuration = try StrictYAML.decode(Configuration.self, file: file)
    let base = URL(fileURLWithPath: file).deletingLastPathComponent()
    func resolve(_ path: String) -> String {
      URL(fileURLWithPath: path, relativeTo: base).standardizedFileURL.path
    }
    configuration.stateDirectory = resolve(configuration.stateDirectory)
    for index in configuration.watch.indices {
      configuration.watch[index].folder = resolve(configuration.watch[index].folder)
    }
    configuration.models.directories = configuration.models.directories.map(resolve)
    try configuration.check(file: file)
    return configuration
  }
}

extension Configuration {
  /// The C-STORE listener.
  struct Listener: Decodable, Sendable {
    var aeTitle = "SEGMENTD"
    var address = "0.0.0.0"
    var port = 11112
    /// Application entities that may send; empty admits every caller.
    var callingAETitles: [String] = []
    var maximumAssociations = 16

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case aeTitle, address, port, callingAETitles, maximumAssociations
    }

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      aeTitle = try values.decodeIfPresent(String.self, forKey: .aeTitle) ?? aeTitle
      address = try values.decodeIfPresent(String.self, forKey: .address) ?? address
      port = try values.decodeIfPresent(Int.self, forKey: .port) ?? port
      callingAETitles = try values.decodeIfPresent([String].self, forKey: .callingAETitles) ?? []
      maximumAssociations =
        try values.decodeIfPresent(Int.self, forKey: .maximumAssociations) ?? maximumAssociations
    }
  }

  /// One watch folder.
  struct Watch: Decodable, Sendable {
    var folder: String
    /// A file is taken once its size has not changed for this long.
    var settleSeconds = 5.0

    private enum CodingKeys: String, CodingKey, CaseIterable { case folder, settleSeconds }

    init(folder: String) { self.folder = folder }

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      folder = try values.decode(String.self, forKey: .folder)
      settleSeconds =
        try values.decodeIfPresent(Double.self, forKey: .settleSeconds) ?? settleSeconds
    }
  }

  /// When a series counts as complete.
  struct Assembly: Decodable, Sendable {
    var quietSeconds = 30.0
    var minimumSlices = 3

    private enum CodingKeys: String, CodingKey, CaseIterable { case quietSeconds, minimumSlices }

    init() {}

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      quietSeconds = try values.decodeIfPresent(Double.self, forKey: .quietSeconds) ?? quietSeconds
      minimumSlices = try values.decodeIfPresent(Int.self, forKey: .minimumSlices) ?? minimumSlices
    }
  }

  /// Where model bundles lie, beside those that come with the program.
  struct Models: Decodable, Sendable {
    var directories: [String] = []

    private enum CodingKeys: String, CodingKey, CaseIterable { case directories }

    init() {}

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      directories = try values.decodeIfPresent([String].self, forKey: .directories) ?? []
    }
  }

  /// A PACS that receives results by C-STORE.
  struct Destination: Decodable, Sendable {
    var name: String
    var aeTitle: String
    var host: String
    var port: Int

    private enum CodingKeys: String, CodingKey, CaseIterable { case name, aeTitle, host, port }

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      aeTitle = try values.decode(String.self, forKey: .aeTitle)
      host = try values.decode(String.self, forKey: .host)
      port = try values.decode(Int.self, forKey: .port)
    }
  }

  /// How the network runs.
  struct Inference: Decodable, Sendable {
    /// Worker threads; 0 takes one for each processor.
    var threads = 0
    /// Memory for the whole process in GB (10⁹ bytes); 0 for what the system has.
    var memoryLimitGB = 0.0

    private enum CodingKeys: String, CodingKey, CaseIterable { case threads, memoryLimitGB }

    init() {}

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      threads = try values.decodeIfPresent(Int.self, forKey: .threads) ?? threads
      memoryLimitGB =
        try values.decodeIfPresent(Double.self, forKey: .memoryLimitGB) ?? memoryLimitGB
    }
  }

  struct Log: Decodable, Sendable {
    enum Level: String, Decodable, Sendable { case debug, info, warning, error }
    var level = Level.info

    private enum CodingKeys: String, CodingKey, CaseIterable { case level }

    init() {}

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      level = try values.decodeIfPresent(Level.self, forKey: .level) ?? level
    }
  }
}
