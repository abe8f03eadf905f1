import ArgumentParser

struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List and manage jobs.",
    discussion: """
      Without a subcommand jobs are listed. The other subcommands act on jobs that meet every condition given; a \
      daemon on the same state directory responds immediately.
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
