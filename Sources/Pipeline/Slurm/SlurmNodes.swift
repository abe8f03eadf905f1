import FileSystem
import Foundation
import Logging
import SeriesProcessing

/// A node that is given no jobs for a while: a file of the shared folder, `LEDGER.excluded.NODE`. It outlasts the daemon,
/// and who removes it has the node given jobs again.
struct SlurmExclusion: Codable, Sendable, Equatable {
  var node: String
  /// Seconds since 1970.
  var since: Double
  var until: Double
  /// That it had one after the other.
  var faults: Int
  /// The last one.
  var fault: String

  /// Also where the clock was set back, it ends.
  func isActive(at time: Date) -> Bool {
    let now = time.timeIntervalSince1970
    return since <= now && now < until
  }

  /// "3 faults one after the other, the last: on node w1: no space left on device: FILE; it is given no jobs until
  /// 2026-11-27T14:20:00Z".
  var text: String {
    let end = Date(timeIntervalSince1970: until).formatted(.iso8601)
    let count = faults == 1 ? "a fault again" : "\(faults) faults one after the other"
    return "\(count), the last: \(fault); it is given no jobs until \(end)"
  }

  static func file(of node: String, ledger: String, in folder: URL) -> URL {
    folder.appendingPathComponent("\(ledger).excluded.\(node)")
  }

  /// Those of a ledger, also such that have ended, in the order of their nodes.
  ///
  /// - Parameters:
  ///   - ledger: what it is called in the cluster.
  ///   - folder: that is shared with the nodes.
  static func all(of ledger: String, in folder: URL) -> [SlurmExclusion] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let prefix = "\(ledger).excluded."
    return names.sorted().compactMap { name in
      guard name.hasPrefix(prefix), let node = SlurmNodeName(String(name.dropFirst(prefix.count))),
        let data = try? Data(contentsOf: folder.appendingPathComponent(name)),
        let exclusion = try? JSONDecoder().decode(SlurmExclusion.self, from: data),
        exclusion.node == node.text
      else { return nil }
      return exclusion
    }
  }
}

/// The name of a node as Slurm allows it: it is part of a file's name and of an argument.
struct SlurmNodeName {
  let text: String

  /// - Returns: nil of what is no name of one node.
  init?(_ text: String) {
    let isAllowed = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard isAllowed, (1...64).contains(text.utf8.count), let first = text.first, first != "-",
      first != "."
    else { return nil }
    self.text = text
  }
}

/// Which nodes have failed, and are given no jobs for a while.
actor SlurmNodes {
  private let folders: SlurmJobFolders
  private let cluster: SlurmCluster
  private let partition: String?
  private let logger: Logger
  private let told: @Sendable (_ message: String, _ job: Int64) -> Void
  private var faults: SlurmNodeFaults

  /// - Parameters:
  ///   - folders: of the jobs, beside which the exclusions are kept.
  ///   - cluster: whose nodes they are.
  ///   - partition: of the jobs; nil for the cluster's own.
  ///   - limits: when a node is excluded.
  ///   - logger: is told of exclusions and of their ends.
  ///   - told: receives each exclusion, with the number of the job that failed last.
  init(
    _ folders: SlurmJobFolders, cluster: SlurmCluster, partition: String?,
    limits: SlurmNodeFaults = SlurmNodeFaults(), logger: Logger,
    told: @escaping @Sendable (_ message: String, _ job: Int64) -> Void
  ) {
    self.folders = folders
    self.cluster = cluster
    self.partition = partition
    self.logger = logger
    self.told = told
    faults = limits
  }

  /// Those that are given no jobs now.
  func excluded() -> [String] {
    let now = Date()
    return SlurmExclusion.all(of: folders.ledger, in: folders.parent).compactMap { exclusion in
      if exclusion.isActive(at: now) { return exclusion.node }
      let file = SlurmExclusion.file(
        of: exclusion.node, ledger: folders.ledger, in: folders.parent)
      if unlink(file.path) == 0 {
        logger.notice("node \(exclusion.node) is given jobs again")
      }
      return nil
    }
  }

  /// Whether a node can take jobs besides these and those that are excluded.
  func hasOthers(than nodes: [String]) async -> Bool {
    do throws(SlurmCommandError) {
      let usable = try await cluster.usableNodes(partition: partition)
      return !usable.subtracting(nodes).subtracting(excluded()).isEmpty
    } catch {
      logger.debug("\(error)")
      return false
    }
  }

  /// A node came to a result.
  func succeeded(_ node: String) { faults.success(of: node) }

  /// A node was at fault, not the job.
  ///
  /// - Parameters:
  ///   - node: as Slurm calls it.
  ///   - name: of Slurm's job.
  ///   - fault: for people.
  ///   - job: that failed there.
  func failed(_ node: String, in name: String, fault: String, job: Int64) async {
    guard let node = SlurmNodeName(node)?.text,
      let (count, duration) = faults.fault(of: node, in: name, at: .now),
      // That is a fault of all.
      MachineFault.present(in: folders.parent) == nil
    else { return }
    guard await hasOthers(than: [node]) else {
      logger.warning(
        "node \(node) fails again and again, and no other node can take its jobs: \(fault)")
      return
    }
    let now = Date().timeIntervalSince1970
    let exclusion = SlurmExclusion(
      node: node, since: now, until: now + duration / .seconds(1), faults: count, fault: fault)
    let file = SlurmExclusion.file(of: node, ledger: folders.ledger, in: folders.parent)
    do {
      let data = try JSONEncoder().encode(exclusion)
      try DurableFile.write(to: file.path) { temporary in
        try data.write(to: URL(fileURLWithPath: temporary))
      }
    } catch {
      logger.warning("node \(node) cannot be excluded: \(SystemError.text(of: error))")
      return
    }
    logger.error("node \(node): \(exclusion.text)")
    told("node \(node): \(exclusion.text)", job)
  }
}
