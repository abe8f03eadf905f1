import AuditLog
import ConfigurationFile
import DICOM
import DICOMNetwork
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import SeriesSelection
import Tensors

/// The parts of the pipeline as a configuration describes them.
///
/// ```swift
/// let parts = try ConfiguredParts(try SiteConfiguration.load("segmentd.yaml"))
/// let jobs = try parts.ledger.jobs()
/// ```
public struct ConfiguredParts: Sendable {
  public let configuration: SiteConfiguration
  public let state: StateDirectory
  public let ledger: Ledger
  public let models: ModelLibrary
  public let logger = Logger(label: "segmentd")
  /// One for all that receives.
  public let intake: Intake
  let receptions: ReceptionLog
  /// One for all that computes in this process.
  private let memory: MemoryBudget

  /// - Parameters:
  ///   - configuration: the configuration file's contents.
  ///   - mustExist: refuses a state directory that no daemon has made yet: one made by an
  ///     administrator's command would belong to the wrong user.
  ///   - account: of the administrator whose command this is, for events and audit log.
  ///   - session: of this process.
  ///   - notes: where it is noted what is being read.
  ///   - isLocked: whether the caller holds the lock of the state directory. The ledger of an older version
  ///     is brought up to date only under this lock: the daemon that holds it may be of that version.
  /// - Throws: `StateDirectoryError` or `LedgerError`.
  public init(
    _ configuration: SiteConfiguration, mustExist: Bool = false, isLocked: Bool = false,
    account: String? = nil, session: ReceivingSession = ReceivingSession(),
    notes: ReadingNotes? = nil
  ) throws {
    self.configuration = configuration
    let ledgerFile = configuration.stateDirectory + "/ledger.sqlite"
    if mustExist, !FileManager.default.fileExists(atPath: ledgerFile) {
      throw ConfigurationError.invalid(
        file: configuration.stateDirectory, line: nil,
        message: "there is no ledger here: no daemon has run with this configuration yet")
    }
    state =
      mustExist
      ? StateDirectory(existing: configuration.stateDirectory)
      : try StateDirectory(path: configuration.stateDirectory)
    var lock: StateDirectoryLock?
    ledger = try Ledger(path: state.ledger.path, account: account) { [state] in
      if !isLocked { lock = try? state.lockUnlessInUse(for: "upgrade") }
      return isLocked || lock != nil
    }
    withExtendedLifetime(lock) {}
    models = configuration.modelLibrary
    memory = MemoryBudget(gigabytes: configuration.inference.memoryLimitGB)
    receptions = ReceptionLog(ledger: ledger, session: session, logger: logger)
    intake = Intake(
      state: state, ledger: ledger, receptions: receptions,
      storedClasses: configuration.storedSOPClasses, notes: notes, logger: logger,
      // A command logs everything; it does not last.
      linesPerMinute: notes == nil ? .max : 60)
  }

  /// The parts of a state directory that is only looked at: its ledger is opened for reading.
  ///
  /// - Throws: `LedgerError`, also where its tables are of an older version.
  public init(reading configuration: SiteConfiguration) throws {
    self.configuration = configuration
    state = StateDirectory(existing: configuration.stateDirectory)
    ledger = try Ledger(reading: state.ledger.path)
    models = configuration.modelLibrary
    memory = MemoryBudget(gigabytes: configuration.inference.memoryLimitGB)
    receptions = ReceptionLog(ledger: ledger, logger: logger)
    intake = Intake(
      state: state, ledger: ledger, receptions: receptions,
      storedClasses: configuration.storedSOPClasses, logger: logger)
  }

  var aeTitle: String { configuration.installation }

  /// The rules, with the channels of the models that they name.
  ///
  /// - Throws: `ModelLibraryError` or `ModelBundleError`.
  public func rules() throws -> ModelRules {
    try configuration.rules(for: models) { throw $1 }
  }

  public func assessor(_ rules: ModelRules) -> StudyAssessor {
    StudyAssessor(
      state: state, ledger: ledger, rules: rules, geometry: configuration.geometryRules,
      incompleteSeries: configuration.assembly.incompleteSeries)
  }

  /// - Parameter receptions: what was received and is not in the ledger yet.
  /// - Throws: `ModelLibraryError` or `ModelBundleError`.
  func assembler(receptions: any UnrecordedReceptions) throws -> SeriesAssembler {
    SeriesAssembler(
      ledger: ledger, receptions: receptions, assessor: assessor(try rules()),
      quietPeriod: configuration.assembly.quietSeconds,
      missingPeriod: configuration.assembly.incompleteSeconds,
      waitsForConfirmation: configuration.querySource != nil, logger: logger)
  }

  var processor: SeriesProcessor {
    SeriesProcessor(
      geometry: configuration.geometryRules, installation: aeTitle,
      memory: memory,
      options: configuration.resultOptions, instructionSet: configuration.instructionSet)
  }

  /// - Throws: where jobs are for Slurm and the ledger's name in the cluster cannot be kept; `MissingInstructionSet` where
  ///   they are for this machine, and its processor does not have what the configuration asks for.
  public var runner: JobRunner {
    get throws {
      JobRunner(
        state: state, ledger: ledger, executors: try executors, destinations: routing,
        checkpoints: CheckpointSettings(
          seconds: configuration.inference.checkpointSeconds, diskReserve: diskReserve),
        logger: logger)
    }
  }

  /// One for each job that runs at the same time: a network computes for one at a time.
  private var executors: [any JobExecutor] {
    get throws {
      if let slurm = configuration.slurm, configuration.inference.executor == .slurm {
        return try slurmExecutors(slurm)
      }
      try configuration.instructionSet?.check()
      return localExecutors(
        former: try configuration.slurm.flatMap {
          try FormerSlurmJobs($0, state: state, logger: logger)
        })
    }
  }

  /// That is shared with the nodes of the cluster which computes jobs; nil where none does.
  var clusterFolder: URL? {
    guard let slurm = configuration.slurm, configuration.inference.executor == .slurm else {
      return nil
    }
    return URL(fileURLWithPath: slurm.folder, isDirectory: true)
  }

  /// - Parameter former: what a cluster has of their jobs.
  private func localExecutors(former: FormerSlurmJobs?) -> [any JobExecutor] {
    let inference = configuration.inference
    // One for all, as the memory is.
    let processor = processor
    guard inference.concurrentJobs > 1 else {
      return [LocalExecutor(models: models, processor: processor, former: former)]
    }
    let threads = max(1, threadCount(inference.threads) / inference.concurrentJobs)
    return (0..<inference.concurrentJobs).map { _ in
      LocalExecutor(
        models: configuration.modelLibrary(threads: threads), processor: processor, former: former)
    }
  }

  private func slurmExecutors(_ slurm: SiteConfiguration.Slurm) throws -> [any JobExecutor] {
    let settings = SlurmSettings(slurm, models: configuration.models.directories)
    let folders = try SlurmJobFolders(settings.folder, state: state)
    let cluster = SlurmCluster(SlurmCommands(folder: slurm.commands), logger: logger)
    let nodes = SlurmNodes(
      folders, cluster: cluster, partition: settings.partition, logger: logger
    ) { [ledger, logger] in
      // For people: what keeps the ledger from being written shows up elsewhere.
      do { try ledger.noteExcludedNode($0, job: $1) } catch { logger.debug("\(error)") }
    }
    let build = try slurm.sameProgram ? ProgramBuild.own() : nil
    let executor = SlurmExecutor(
      settings: settings, folders: folders, cluster: cluster,
      packs: SlurmPacks(
        settings, cluster: cluster, folders: folders, nodes: nodes, logger: logger),
      nodes: nodes,
      processor: processor, bundles: ModelBundles(models), logger: logger, sweep: SlurmSweep(),
      build: build)
    return Array(repeating: executor, count: slurm.maximumJobs)
  }

  /// Removes what the configuration has removed.
  public var retention: Retention {
    Retention(state: state, ledger: ledger, rules: configuration.retention)
  }

  /// Nil where nothing is ever removed.
  var retentionService: RetentionService? {
    guard configuration.retention.isConfigured else { return nil }
    return RetentionService(
      retention, interval: .seconds(configuration.retention.intervalMinutes * 60), logger: logger)
  }

  /// What stays free on the disk, in bytes.
  var diskReserve: Int { state.diskReserve(configuration.listeners) }

  /// All listeners of the configuration, which listen from now on.
  ///
  /// - Parameters:
  ///   - check: takes what the daemon sends to check itself; nil where it does not.
  ///   - commitment: answers requests for storage commitment; nil where they are not taken.
  ///   - audit: is told who is not admitted.
  /// - Throws: `DICOMNetworkError` where a port is taken or a certificate cannot be used.
  public func listener(
    check: CheckReception? = nil, commitment: StorageCommitment? = nil, audit: AuditLog? = nil
  ) throws -> Listener {
    for listener in configuration.listeners {
      if let fault = listener.certificateFault() { logger.error("\(fault)") }
    }
    return try Listener(
      configuration.listeners.map { settings in
        StorageSCPConfiguration(
          address: settings.address, port: settings.port, folder: state.incoming.path,
          policy: AssociationPolicy(settings, diskReserve: state.diskReserve(settings.limits)),
          security: settings.tls?.security)
      }, intake: intake, check: check, commitment: commitment, observe: { audit?.record($0) },
      logger: logger)
  }

  public func watchedFolder(_ settings: SiteConfiguration.Watch) throws -> WatchedFolder {
    try WatchedFolder(
      url: URL(fileURLWithPath: settings.folder), settleTime: settings.settleSeconds,
      intake: intake, logger: logger)
  }
}

extension SiteConfiguration {
  /// The rules, with the channels of the models that they name. Nothing is written.
  ///
  /// - Parameter unavailable: is given the name of a model that cannot be loaded, with a
  ///   `ModelLibraryError` or `ModelBundleError`; where it does not throw, that model's channels are
  ///   left out.
  public func rules(
    for models: ModelLibrary, unavailable: (String, any Error) throws -> Void
  ) rethrows -> ModelRules {
    var channels: [String: [ModelChannel]] = [:]
    for name in Set(modelRules.map(\.model)).sorted() {
      let bundle: ModelBundle
      do {
        bundle = try models.bundle(name)
      } catch {
        try unavailable(name, error)
        continue
      }
      if !bundle.channels.isEmpty, bundle.network.inputChannels > 1 {
        channels[name] = bundle.channels
      }
    }
    return ModelRules(modelRules, channels: channels)
  }

  public var modelLibrary: ModelLibrary { modelLibrary(threads: threadCount(inference.threads)) }

  func modelLibrary(threads: Int) -> ModelLibrary {
    ModelLibrary(
      directories: models.directories.map { URL(fileURLWithPath: $0) }, excluded: models.exclude,
      threads: threads,
      // Else it is the nodes' affair.
      instructionSet: inference.executor == .local ? instructionSet : nil)
  }

  /// That results are computed with; nil for the fastest of each machine.
  public var instructionSet: InstructionSet? {
    switch inference.instructionSet {
    case .fastest: nil
    case .avx512: .avx512
    case .avx2: .avx2
    case .portable: .portable
    }
  }
}
