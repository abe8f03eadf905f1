import ArgumentParser
import JobLedger

struct RetryJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Run held and failed jobs again, and send what was not delivered.",
    discussion: """
      A job that is waiting after a failure runs next; one that was held while it ran gets as many attempts as a new \
      one. The series of a job that was held before it ran, for example because no rule matched, is assembled again \
      with the current configuration. For a completed job, waiting and held deliveries are tried now. A series with \
      missing instances is held again: see release.
      """
        + examples(
          "segmentd jobs retry --job 17", "segmentd jobs retry --state held --model liver --dry-run"
        ))

  @OptionGroup var options: JobSelectionOptions

  func run() async throws { try options.apply(.retry) }
}

struct CancelJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancel jobs that are waiting, running or held.",
    discussion: "There will be no result; reprocess creates a new job."
      + examples("segmentd jobs cancel --study 1.2.3 --reason \"sent by mistake\""))

  @OptionGroup var options: JobSelectionOptions

  func run() async throws { try options.apply(.cancel) }
}

struct HoldJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold", abstract: "Keep waiting jobs from running until they are released.",
    discussion: examples("segmentd jobs hold --model liver --state available"))

  @OptionGroup var options: JobSelectionOptions

  func run() async throws { try options.apply(.hold) }
}

struct ReleaseJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Release held jobs, even if instances are missing or a result is suspect.",
    discussion: """
      For jobs that were held by hold, and for series that are held because instances may be missing. Such a series \
      is processed as it is, and the verdict on it names what is known to be missing; if more turns out to be \
      missing later, it is held again.

      A result that is held as suspect (results.suspect: hold) is computed once more and sent with its warnings, if \
      its job is named with --job. This applies to the result that was looked at: a different one, for example from \
      another version of the model, is held again.

      If a series has several volumes and no rule chooses one, its job is held, and the reason lists them by number. \
      --volume runs the job with one of them; later jobs of the series for the model use the same one.
      """
        + examples("segmentd jobs release --job 17", "segmentd jobs release --job 17 --volume 2"))

  @OptionGroup var options: JobSelectionOptions

  @Option(
    help: ArgumentHelp(
      "Run the job with this volume, by its number in the reason.",
      valueName: "number"))
  var volume: Int?

  func run() async throws { try options.apply(volume.map { .releaseVolume($0) } ?? .release) }
}

struct PrioritizeJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prioritize", abstract: "Change the priority of waiting jobs.",
    discussion: """
      A running job of lower priority yields to the first of them within seconds, and resumes where it stopped \
      afterwards, with the same result.
      """
        + examples("segmentd jobs prioritize --study 1.2.3 --priority 100"))

  @OptionGroup var options: JobSelectionOptions

  @Option(help: ArgumentHelp("Higher ones run first; a new job has 0.", valueName: "number"))
  var priority = 10

  func run() async throws { try options.apply(.prioritize(priority)) }
}
