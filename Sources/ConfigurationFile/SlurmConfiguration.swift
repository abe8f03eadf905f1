import Foundation
import StrictYAML

extension SiteConfiguration {
  /// The cluster that computes jobs, where `inference.executor` is `slurm`.
  public struct Slurm: Decodable, Sendable {
    /// Holds the jobs' folders: on a file system that the nodes see under the same path.
    public var folder: String
    /// segmentd on the nodes.
    public var program = "/usr/bin/segmentd"
    /// Whether the nodes' program has to be the very build of the head's; else one will do that gives the same results.
    public var sameProgram = true
    /// A folder of further models on the nodes; nil for `models.directories`.
    public var models: String?
    /// The folder of Slurm's commands; nil for those of PATH.
    public var commands: String?
    /// Where the controller keeps how jobs ended (`Config/slurm/segmentd-jobcomp`); nil where it does not.
    public var endedJobs: String?
    /// Of all jobs; nil for the cluster's own.
    public var partition: String?
    /// Of jobs of ``urgentPriority`` or a higher one; nil for the same.
    public var urgentPartition: String?
    public var urgentPriority = 1
    /// Jobs that are with Slurm at the same time.
    public var maximumJobs = 8
    /// Short jobs that are submitted as one job of Slurm; 1 for none.
    public var packJobs = 16
    /// Worker threads and processors of a job, at most: a short one asks for fewer.
    public var threads = 1
    /// Memory in GB (10⁹ bytes) that is asked for first.
    public var memoryGB = 4.0
    /// Wall time that is asked for first.
    public var wallTimeMinutes = 60

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case folder, program, sameProgram, models, commands, endedJobs, partition, urgentPartition,
        urgentPriority, maximumJobs, packJobs, threads, memoryGB, wallTimeMinutes
    }

    public init(folder: String) { self.folder = folder }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      folder = try values.decode(String.self, forKey: .folder)
      program = try values.decodeIfPresent(String.self, forKey: .program) ?? program
      sameProgram =
        try values.decodeIfPresent(Bool.self, forKey: .sameProgram) ?? sameProgram
      models = try values.decodeIfPresent(String.self, forKey: .models)
      commands = try values.decodeIfPresent(String.self, forKey: .commands)
      endedJobs = try values.decodeIfPresent(String.self, forKey: .endedJobs)
      partition = try values.decodeIfPresent(String.self, forKey: .partition)
      urgentPartition = try values.decodeIfPresent(String.self, forKey: .urgentPartition)
      urgentPriority =
        try values.decodeIfPresent(Int.self, forKey: .urgentPriority) ?? urgentPriority
      maximumJobs = try values.decodeIfPresent(Int.self, forKey: .maximumJobs) ?? maximumJobs
      packJobs = try values.decodeIfPresent(Int.self, forKey: .packJobs) ?? packJobs
      threads = try values.decodeIfPresent(Int.self, forKey: .threads) ?? threads
      memoryGB = try values.decodeIfPresent(Double.self, forKey: .memoryGB) ?? memoryGB
      wallTimeMinutes =
        try values.decodeIfPresent(Int.self, forKey: .wallTimeMinutes) ?? wallTimeMinutes
    }

    /// What is wrong with a value, with its key; nil for nothing.
    var problem: String? {
      for (key, path) in [
        ("folder", folder), ("program", program), ("models", models ?? "/"),
        ("commands", commands ?? "/"), ("endedJobs", endedJobs ?? "/"),
      ] where !path.hasPrefix("/") {
        return "\(key): \(path) is not an absolute path"
      }
      // Slurm replaces what follows % in the names of files.
      guard !folder.contains("%"), !folder.contains("\\") else {
        return "folder: \(folder) has a character that Slurm replaces, % or \\"
      }
      guard FileManager.default.fileExists(atPath: folder) else {
        return "folder: \(folder) is not a folder"
      }
      for (key, name) in [("partition", partition), ("urgentPartition", urgentPartition)] {
        guard let name else { continue }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), name.first != "-"
        else { return "\(key): \"\(name)\" is no name of a partition" }
      }
      guard (1...1024).contains(maximumJobs) else {
        return "maximumJobs: \(maximumJobs) is not between 1 and 1024"
      }
      guard (1...256).contains(packJobs) else {
        return "packJobs: \(packJobs) is not between 1 and 256"
      }
      guard (-1_000_000...1_000_000).contains(urgentPriority) else {
        return "urgentPriority: \(urgentPriority) is not between -1000000 and 1000000"
      }
      guard (1...1024).contains(threads) else {
        return "threads: \(threads) is not between 1 and 1024"
      }
      guard (0.1...1e5).contains(memoryGB) else {
        return "memoryGB: \(memoryGB) is not between 0.1 and 100000"
      }
      guard (1...100_000).contains(wallTimeMinutes) else {
        return "wallTimeMinutes: \(wallTimeMinutes) is not between 1 and 100000"
      }
      return nil
    }
  }

  func checkSlurm(_ check: ValueCheck) throws(ConfigurationError) {
    guard let slurm else {
      guard inference.executor == .local else {
        throw check.fault("inference.executor: slurm needs the section slurm")
      }
      return
    }
    if let problem = slurm.problem { throw check.fault("slurm.\(problem)") }
  }
}
