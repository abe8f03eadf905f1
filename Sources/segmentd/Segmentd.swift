import ArgumentParser
import SeriesProcessing

@main
struct Segmentd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "segmentd",
    abstract: "Segments DICOM series with UNETR++ next to a PACS. Not for clinical use.",
    discussion: """
      Exit status: 0 for success; 1 for failure; 2 if the command has finished but something needs attention, such \
      as held series or faults; 64 if the command line is invalid.
      """
        + examples(
          "segmentd config init", "segmentd serve",
          "segmentd run --model hippocampus --output results FOLDER",
          "segmentd explain --study 1.2.840.113619.2.55"),
    version: SegmentdVersion.current,
    subcommands: [
      ServeCommand.self, WatchCommand.self, RunCommand.self, InspectCommand.self,
      JobsCommand.self, ExplainCommand.self, ReprocessCommand.self, ReplayCommand.self,
      FetchCommand.self,
      PauseCommand.self, DrainCommand.self, ResumeCommand.self, LedgerCommand.self,
      PurgeCommand.self, ComparisonsCommand.self,
      ModelsCommand.self,
      ConfigCommand.self, DoctorCommand.self, CheckGoldenCommand.self, NotificationsCommand.self,
      ForwardCommand.self, TrainStepCommand.self, ResampleCommand.self, BenchCommand.self,
      RulesCommand.self, EvaluateCommand.self, TrainCommand.self, FineTuneCommand.self,
      WorkCommand.self,
      ReceiveCommand.self, ConformanceCommand.self, WriteSegmentationCommand.self,
    ])
  static func main() async {
    do {
      var command = try await asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      exit(withError: FoundationFault(error) ?? error)
    }
  }
}
