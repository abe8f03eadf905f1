import ArgumentParser

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List jobs, and change what becomes of them.",
    discussion: """
      Without a subcommand jobs are listed. The others change jobs that meet every condition given; a \
      daemon on the same state directory takes it up at once.
      """
        + examples(
          "segmentd jobs", "segmentd jobs --state held --newer-than 7d",
          "segmentd jobs retry --state held --dry-run"),
    subcommands: [
      ListJobsCommand.self, ProgressOfJobsCommand.self, RetryJobsCommand.self,
      CancelJobsCommand.self,
      HoldJobsCommand.self, ReleaseJobsCommand.self, PrioritizeJobsCommand.self,
    ],
    defaultSubcommand: ListJobsCommand.self)
}
