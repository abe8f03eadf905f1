import ArgumentParser
import ConfigurationFile
import Ingest
import Pipeline

struct FetchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch",
    abstract: "Retrieve a study from the query source.",
    discussion: """
      Queries querySource of the configuration for the images of the study, and retrieves the missing ones into \
      spool and ledger. They are checked, refused and recorded as if they had been sent. A daemon on the same state \
      directory assembles them; without one, the next that starts does, or segmentd reprocess.
      """
        + examples("segmentd fetch --study 1.2.3"))

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("The study.", valueName: "uid"))
  var study: String

  @Option(help: ArgumentHelp("Only this series of the study.", valueName: "uid"))
  var series: String?

  @Flag(help: "Print what arrived as JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    configuration.startLogging()
    let parts = try ConfiguredParts(configuration, mustExist: true, account: invokingAccount)
    guard let source = try parts.querySource() else {
      throw RetrievalError.noSource(file: config.path)
    }
    let use = try parts.state.lockOrHolder(for: "fetch")
    var lock: StateDirectoryLock?
    if case .ours(let ours) = use { lock = ours }
    let retrieved = try await StudyRetrieval(
      parts: parts, source: source, isAlone: lock != nil
    ).run(study: study, series: series)
    withExtendedLifetime(lock) {}
    print(json ? try encodeJSON(retrieved) : table(retrieved))
    if case .others(let holder) = use, holder?.isDaemon ?? true {
      warn("a daemon is using this state directory and will assemble what came")
    } else {
      warn("no daemon is running: the next one assembles what came, or segmentd reprocess does")
    }
    guard retrieved.allSatisfy({ $0.problem == nil }) else { throw ExitCode.findings }
  }

  private func table(_ retrieved: [RetrievedSeries]) -> String {
    let head = ["SERIES", "MODALITY", "LISTED", "HERE", "RETRIEVED", "NOTE"]
    return formatTable(
      [head]
        + retrieved.map {
          [
            $0.seriesInstanceUID, $0.modality, $0.listed.map { "\($0)" } ?? "-",
            "\($0.instances)", "\($0.retrieved)", $0.problem ?? "",
          ]
        })
  }
}
