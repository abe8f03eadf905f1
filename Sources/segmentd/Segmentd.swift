import ArgumentParser
import SeriesProcessing

@main
struct Segmentd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "segmentd",
    abstract: "Segments DICOM series with UNETR++ next to a PACS. Not for clinical use.",
    version: SegmentdVersion.current,
    subcommands: [
      ServeCommand.self, WatchCommand.self, RunCommand.self, InspectCommand.self,
      JobsCommand.self, ExplainCommand.self, ReprocessCommand.self, FetchCommand.self,
      PauseCommand.self, DrainCommand.self, ResumeCommand.self, LedgerCommand.self,
      PurgeCommand.self, ComparisonsCommand.self,
      ModelsCommand.self,
      ConfigCommand.self, DoctorCommand.self,
      ForwardCommand.self, TrainStepCommand.self, ResampleCommand.self, BenchCommand.self,
      RulesCommand.self, EvaluateCommand.self, TrainCommand.self, FineTuneCommand.self,
      ReceiveCommand.self,
    ])
}
