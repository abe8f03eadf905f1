import ConfigurationFile
import FileSystem
import Foundation
import SeriesProcessing

/// How jobs are submitted to Slurm.
struct SlurmSettings: Sendable {
  /// Holds the jobs' folders, on a file system that the nodes see under the same path.
  var folder: URL
  /// segmentd on the nodes.
  var program: String
  /// Folders of further models on the nodes.
  var models: [String]
  /// Where the controller keeps how jobs ended; nil where it does not.
  var endedJobs: SlurmEndedJobs?
  var partition: String?
  /// Of jobs of this priority, or a higher one; nil for the same.
  var urgentPartition: String?
  var urgentPriority = 1
  /// Worker threads and processors of a job, at most.
  var threads: Int
  /// That a job has to take for each of its threads.
  var threadSeconds = 5.0
  /// In bytes; what is asked for at least.
  var memory: Int
  var minutes: Int
  /// Short jobs that are submitted together, at most.
  var packJobs = 1
  /// A job that takes no longer is short.
  var shortSeconds = 60.0
  /// A pack that takes so long is submitted: others wait for it.
  var packSeconds = 120.0
  /// How long a pack is gathered: where no job of ours waits in Slurm, and where one does; the last for jobs of a
  /// negative priority.
  var gathering = Duration.seconds(1)
  var longestGathering = Duration.seconds(5)
  var longestPatientGathering = Duration.seconds(60)
  /// How often a submission that Slurm does not know is made again.
  var resubmissions = 5
  /// After which a submission that Slurm does not know is taken for lost.
  var confirmation = Duration.seconds(15)
  /// Between two looks at a job.
  var pause = Duration.milliseconds(500)
  /// For a result to be seen that a node has written: network file systems keep names in a cache, by default for a minute.
  var visibility = Duration.seconds(75)
}

extension SlurmSettings {
  init(_ slurm: SiteConfiguration.Slurm, models: [String]) {
    self.init(
      folder: URL(fileURLWithPath: slurm.folder, isDirectory: true), program: slurm.program,
      models: slurm.models.map { [$0] } ?? models, partition: slurm.partition,
      urgentPartition: slurm.urgentPartition, threads: slurm.threads,
      memory: Int(slurm.memoryGB * 1e9), minutes: slurm.wallTimeMinutes)
    pause = .milliseconds(500 * max(1, slurm.maximumJobs / 256))
    endedJobs = SlurmEndedJobs(folder: slurm.endedJobs)
    packJobs = slurm.packJobs
    urgentPriority = slurm.urgentPriority
  }

  /// The wall time that is asked for first: four times what a job will take, and no more than the configuration says.
  ///
  /// - Parameter forecast: in seconds; nil where nothing is known.
  func minutes(forecast: Double?) -> Int {
    guard let forecast, forecast < 60 * Double(minutes) else { return minutes }
    return min(minutes, Int((4 * forecast / 60).rounded(.up)) + 1)
  }

  /// The threads that are asked for first: one for each five seconds that a job will take, and no more than the configuration
  /// says. What one core does of a job before and after the network, and the start of the threads at each operation, are
  /// most of a short one: two threads shorten a study of 1.6 s by a sixth, and one of 29 s by 45 % (Benchmarks.md, jobs side
  /// by side), so that nodes do more short jobs with a thread each.
  ///
  /// - Parameter forecast: in seconds; nil where nothing is known.
  func threads(forecast: Double?) -> Int {
    guard let forecast, forecast < threadSeconds * Double(threads) else { return threads }
    return max(1, Int(forecast / threadSeconds))
  }

  /// What is asked for first of a job.
  ///
  /// - Parameters:
  ///   - seconds: that it will take with the threads of the configuration, or more; nil where nothing is known.
  ///   - memory: that it will need, in bytes; nil where nothing is known.
  func submission(seconds: Double?, memory: Int?) -> JobSubmission {
    let count = self.threads(forecast: seconds)
    // With fewer threads it takes no longer than so.
    let longest = seconds.map { $0 * Double(threads) / Double(count) }
    return JobSubmission(
      memory: self.memory(forecast: memory), threads: count,
      minutes: self.minutes(forecast: longest))
  }

  /// The memory that is asked for first: an eighth more than what a job will need, and no less than the configuration says.
  ///
  /// - Parameter forecast: in bytes; nil where nothing is known.
  func memory(forecast: Int?) -> Int { max(memory, forecast.map { $0 + $0 / 8 } ?? 0) }

  /// Where no node has as much as is asked for: what was only predicted is not insisted on.
  func leastMemory(_ submissions: [JobSubmission]) -> Int? {
    submissions.contains(where: \.hasMoreMemory) ? nil : memory
  }

  func isUrgent(_ priority: Int) -> Bool { priority >= urgentPriority }

  var modelArguments: [String] { models.flatMap { ["--models", $0] } }

  /// What sbatch runs: in place of the shell, so that signals reach the program; the arguments are not read by the shell.
  ///
  /// - Throws: `DurableFileError`
  func writeScript(to file: URL) throws(DurableFileError) {
    try DurableFile.write(to: file.path) { temporary in
      try Data("#!/bin/sh\nexec \"$@\"\n".utf8).write(to: URL(fileURLWithPath: temporary))
    }
  }

  /// A job by itself.
  ///
  /// - Throws: `DurableFileError`
  func request(of folder: JobFolder, _ submission: JobSubmission, priority: Int)
    throws(DurableFileError) -> SlurmCluster.Request
  {
    let script = folder.url.appendingPathComponent("batch.sh")
    try writeScript(to: script)
    return SlurmCluster.Request(
      name: folder.name(submission), folder: folder.url.path, log: folder.log(submission).path,
      memory: submission.memory, leastMemory: leastMemory([submission]),
      threads: submission.threads, minutes: submission.minutes,
      partition: isUrgent(priority) ? urgentPartition ?? partition : partition,
      isPatient: priority < 0, refusedBy: submission.refusedBy ?? [],
      command: [script.path, program, "work"] + modelArguments
        + ["--submission", "\(submission.number)", folder.url.path])
  }
}
