/// When a node has failed so often that it is given no jobs for a while. It knows no clock and no files.
struct SlurmNodeFaults: Sendable {
  /// Faults of a node that exclude it, without a result of it between them.
  var limit = 3
  /// Within this time.
  var window = Duration.seconds(600)
  /// For so long at first; each time that it fails again right after that, for twice as long.
  var exclusion = Duration.seconds(600)
  var longestExclusion = Duration.seconds(7200)

  private struct Node {
    /// By what failed: of a pack, whose jobs all fail of one fault, that is one.
    var faults: [String: ContinuousClock.Instant] = [:]
    /// One after the other.
    var exclusions = 0
  }

  private var nodes: [String: Node] = [:]

  /// - Parameters:
  ///   - node: that failed.
  ///   - name: of the job of Slurm that failed there.
  ///   - now: when.
  /// - Returns: how many faults there were and for how long it is to be excluded; nil where it is not.
  mutating func fault(of node: String, in name: String, at now: ContinuousClock.Instant)
    -> (faults: Int, exclusion: Duration)?
  {
    var known = nodes[node] ?? Node()
    known.faults = known.faults.filter { $0.value.duration(to: now) < window }
    known.faults[name] = now
    defer { nodes[node] = known }
    let count = known.faults.count
    // One that has been excluded, and has come to no result since, has no more to show.
    guard count >= (known.exclusions > 0 ? 1 : limit) else { return nil }
    known.faults = [:]
    known.exclusions += 1
    let doublings = min(known.exclusions - 1, 16)
    return (count, min(longestExclusion, exclusion * (1 << doublings)))
  }

  /// It came to a result.
  mutating func success(of node: String) { nodes[node] = nil }
}
