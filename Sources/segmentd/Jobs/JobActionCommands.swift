import ArgumentParser
import JobLedger

struct RetryJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Run held and failed jobs again, and send what was not delivered.",
    discussion: """
      A job that waits after a failure runs next; one that was held while it ran gets as many attempts \
      as a new one. The series of a job that was held before it ran, as for want of a rule, is assembled \
      anew by the present configuration. Of a completed job, deliveries that wait or are held are made \
      now. A series of which instances are missing is held again: see release.
      """
        + examples(
          "segmentd jobs retry --job 17", "segmentd jobs retry --state held --model liver --dry-run"
        ))

  @OptionGroup var options: JobSelectionOptions

  func run() async throws { try options.apply(.retry) }
}

struct CancelJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "End jobs that wait, run or are held, without a result.",
    discussion: "reprocess makes a new job. The result of a job that runs is not kept."
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
    abstract: "Let held jobs go, also where instances are missing or a result is suspect.",
    discussion: """
      For jobs that were held by hold, and for series that are held because instances may be missing. \
      Such a series is processed as it is, and the verdict on it names what is known to be missing; what \
      is found to be missing after that holds it again.

      A result that is held as suspect (results.suspect: hold) is made once more and sent with its warnings, \
      where its job is named by --job. That holds for the result that was looked at: another \
      one, as of another version of the model, is held again.

      A job whose series has several volumes, and no rule that chooses one, is held and lists them by \
      number. --volume runs it with one of them; later jobs of the series for the model take the same one.
      """
        + examples("segmentd jobs release --job 17", "segmentd jobs release --job 17 --volume 2"))

  @OptionGroup var options: JobSelectionOptions

  @Option(
    help: ArgumentHelp(
      "Run the job with the volume of this number, of those that its reason lists.",
      valueName: "number"))
  var volume: Int?

  func run() async throws { try options.apply(volume.map { .releaseVolume($0) } ?? .release) }
}

struct PrioritizeJobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prioritize", abstract: "Have waiting jobs run before others.",
    discussion: """
      A job of a lower priority that runs yields to the first of them within seconds, and resumes from \
      where it was afterwards, with the same result.
      """
        + examples("segmentd jobs prioritize --study 1.2.3 --priority 100"))

  @OptionGroup var options: JobSelectionOptions

  @Option(help: ArgumentHelp("Higher ones run first; a new job has 0.", valueName: "number"))
  var priority = 10

  func run() async throws { try options.apply(.prioritize(priority)) }
}
