import ConfigurationFile
import Foundation

/// How jobs are submitted to Slurm.
struct SlurmSettings: Sendable {
  /// Holds the jobs' folders, on a file system that the nodes see under the same path.
  var folder: URL
  /// segmentd on the nodes.
  var program: String
  /// Folders of further models on the nodes.
  var models: [String]
  var partition: String?
  /// Of jobs of a priority above 0; nil for the same.
  var urgentPartition: String?
  var threads: Int
  /// That is asked for first, in bytes.
  var memory: Int
  var minutes: Int
  /// How often a submission that Slurm does not know is made again.
  var resubmissions = 5
  /// After which a submission that Slurm does not know is taken for lost.
  var confirmation = Duration.seconds(15)
  /// Between two looks at a job.
  var pause = Duration.milliseconds(500)
  /// For a result to be seen that a node has written: network file systems keep names in a cache.
  var visibility = Duration.seconds(60)
}

extension SlurmSettings {
  init(_ slurm: SiteConfiguration.Slurm, models: [String]) {
    self.init(
      folder: URL(fileURLWithPath: slurm.folder, isDirectory: true), program: slurm.program,
      models: slurm.models.map { [$0] } ?? models, partition: slurm.partition,
      urgentPartition: slurm.urgentPartition, threads: slurm.threads,
      memory: Int(slurm.memoryGB * 1e9), minutes: slurm.wallTimeMinutes)
  }
}
