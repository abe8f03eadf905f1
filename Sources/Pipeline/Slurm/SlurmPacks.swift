import Foundation
import Logging
import SeriesProcessing

/// Short jobs that are submitted together: several folders are one job of Slurm, which computes one after the other in
/// one process with the model loaded once.
///
/// A pack is gathered while another job of ours waits in Slurm: a cluster with free nodes gets each job at once, and a
/// busy one gets packs, which grow with the time that they wait. What comes at once is divided among the free processors.
actor SlurmPacks {
  /// A job that may be packed.
  struct Member: Sendable {
    var folder: JobFolder
    var submission: JobSubmission
    /// That its computing will take.
    var seconds: Double
    var priority: Int
  }

  enum State: Sendable {
    case gathering
    /// Under this name in Slurm.
    case submitted(String)
    case failed(any Error)
  }

  private struct Pack {
    var members: [Member]
    let begun = ContinuousClock.now
    var seconds: Double { members.map(\.seconds).reduce(0, +) }
  }

  private let settings: SlurmSettings
  private let cluster: SlurmCluster
  private let folders: SlurmJobFolders
  private let nodes: SlurmNodes
  private let logger: Logger
  /// By whether the jobs are patient.
  private var gathered: [Bool: Pack] = [:]
  /// Of jobs that have not asked since.
  private var states: [String: State] = [:]
  /// When a pack was last submitted again.
  private var again: [String: ContinuousClock.Instant] = [:]

  init(
    _ settings: SlurmSettings, cluster: SlurmCluster, folders: SlurmJobFolders, nodes: SlurmNodes,
    logger: Logger
  ) {
    self.settings = settings
    self.cluster = cluster
    self.folders = folders
    self.nodes = nodes
    self.logger = logger
  }

  /// Has a job packed. Ask again until it is submitted: it is then for its own asker to follow.
  ///
  /// - Parameters:
  ///   - member: the job.
  ///   - isBusy: whether a job of ours waits in Slurm.
  func join(_ member: Member, isBusy: Bool) async -> State {
    let name = member.folder.name
    if let state = takeState(of: name) { return state }
    let isPatient = member.priority < 0
    var pack = gathered[isPatient] ?? Pack(members: [])
    if !pack.members.contains(where: { $0.folder.name == name }) { pack.members.append(member) }
    gathered[isPatient] = pack
    let isFull =
      pack.members.count >= settings.packJobs || pack.seconds >= settings.packSeconds
    let longest =
      !isBusy
      ? settings.gathering
      : isPatient ? settings.longestPatientGathering : settings.longestGathering
    guard isFull || pack.begun.duration(to: .now) >= longest else { return .gathering }
    let places = isBusy ? 1 : await freePlaces(threads: Self.threads(pack.members))
    // Another one may have had it submitted meanwhile.
    if let pack = gathered[isPatient], pack.members.contains(where: { $0.folder.name == name }) {
      gathered[isPatient] = nil
      // Before any is made: whoever comes after a crash, or is to yield, finds how it is submitted.
      // More may have joined while the cluster was asked.
      let parts = Self.divided(pack.members, among: places, most: settings.packJobs)
        .map { recorded($0) }
      for (name, members) in parts { await submit(members, as: name) }
    }
    return takeState(of: name) ?? .gathering
  }

  /// What is known of a job, once; that it is being submitted stays known.
  private func takeState(of name: String) -> State? {
    let state = states[name]
    if case .gathering? = state { return state }
    states[name] = nil
    return state
  }

  /// Of all jobs of a pack, so that the model is loaded once: what one of them asks for at most.
  private static func threads(_ members: [Member]) -> Int {
    members.map(\.submission.threads).max() ?? 1
  }

  /// Jobs of so many threads that the cluster can begin at once; 1 where that is not known.
  private func freePlaces(threads: Int) async -> Int {
    do throws(SlurmCommandError) {
      let idle = try await cluster.idleProcessors(partition: settings.partition)
      return max(1, idle / max(1, threads))
    } catch {
      logger.debug("\(error)")
      return 1
    }
  }

  /// Jobs for each free place, as far as each has enough to do that its start is worth it.
  ///
  /// - Parameters:
  ///   - members: the jobs; one at least.
  ///   - places: free ones.
  ///   - most: jobs of a pack; there are more packs than places where it takes them.
  static func divided(_ members: [Member], among places: Int, most: Int) -> [[Member]] {
    /// The start of a job of Slurm takes about as long.
    let worthwhile = 2.0
    let seconds = members.map(\.seconds).reduce(0, +)
    let wanted = Int(min(seconds / worthwhile, Double(members.count)).rounded(.up))
    let most = max(1, most)
    let count = max((members.count + most - 1) / most, min(places, members.count, wanted), 1)
    var parts = Array(repeating: (seconds: 0.0, members: [Member]()), count: count)
    for member in members.sorted(by: { $0.seconds > $1.seconds }) {
      let open = parts.indices.filter { parts[$0].members.count < most }
      guard let least = open.min(by: { parts[$0].seconds < parts[$1].seconds }) else { continue }
      parts[least].seconds += member.seconds
      parts[least].members.append(member)
    }
    return parts.map(\.members).filter { !$0.isEmpty }
  }

  /// Takes a job out of the pack that is being gathered.
  ///
  /// - Returns: false where it is submitted, or is being.
  func leave(_ folder: JobFolder) -> Bool {
    guard states[folder.name] == nil else { return false }
    for key in gathered.keys {
      gathered[key]?.members.removeAll { $0.folder.name == folder.name }
      if gathered[key]?.members.isEmpty == true { gathered[key] = nil }
    }
    return true
  }

  /// Forgets a job that will not ask any more.
  func forget(_ folder: JobFolder) {
    if leave(folder) { return }
    if case .gathering = states[folder.name] { return }
    states[folder.name] = nil
  }

  /// Records the submission of some jobs.
  ///
  /// - Returns: the name of their pack, nil of one alone, and those that could be recorded.
  private func recorded(_ members: [Member]) -> (name: String?, members: [Member]) {
    let name = members.count > 1 ? folders.nameOfPack() : nil
    let threads = Self.threads(members)
    var taken: [Member] = []
    for var member in members {
      member.submission.pack = name
      member.submission.threads = threads
      do {
        try member.folder.record(member.submission)
        states[member.folder.name] = .gathering
        taken.append(member)
      } catch {
        states[member.folder.name] = .failed(error)
      }
    }
    return (name, taken)
  }

  private func submit(_ taken: [Member], as name: String?) async {
    guard let first = taken.first else { return }
    var request: SlurmCluster.Request
    do {
      request =
        try name.map { try self.request(taken, $0) }
        ?? settings.request(of: first.folder, first.submission, priority: first.priority)
    } catch {
      for member in taken { states[member.folder.name] = .failed(error) }
      return
    }
    request.excluded = await nodes.excluded()
    var state = State.submitted(request.name)
    do throws(SlurmCommandError) {
      let memory = try await cluster.submit(request)
      logger.info(
        "submitted to Slurm as \(request.name): \(taken.map(\.folder.name).joined(separator: " "))")
      note(memory, of: request, given: taken)
    } catch {
      // Of silence it is not known whether it was submitted: it is looked for by its name.
      if !error.isSilence { state = .failed(SlurmFailure(refusing: error)) }
    }
    for member in taken { states[member.folder.name] = state }
  }

  /// Has jobs take no more memory than their pack was given, where that is less than was asked for first.
  private func note(
    _ memory: Int?, of request: SlurmCluster.Request, given members: [Member]
  ) {
    guard let memory, memory != request.memory else { return }
    for member in members {
      // Of one that was to yield meanwhile another submission is recorded.
      guard let known = try? member.folder.submission(), known == member.submission,
        let asked = known.memory, asked > memory
      else { continue }
      var given = known
      given.memory = memory
      do { try member.folder.record(given) } catch {
        logger.debug("\(member.folder.name): \(error)")
      }
    }
  }

  private func request(_ members: [Member], _ name: String) throws -> SlurmCluster.Request {
    let script = folders.parent.appendingPathComponent("pack.sh")
    try settings.writeScript(to: script)
    return SlurmCluster.Request(
      name: name, folder: folders.parent.path,
      log: folders.log(ofPack: name).path,
      memory: members.compactMap(\.submission.memory).max(),
      leastMemory: settings.leastMemory(members.map(\.submission)),
      threads: Self.threads(members),
      minutes: members.map(\.submission.minutes).reduce(0, +), partition: settings.partition,
      isPatient: members.allSatisfy { $0.priority < 0 },
      command: [script.path, settings.program, "work"] + settings.modelArguments + ["--pack", name]
        + members.map(\.folder.url.path))
  }

  /// Submits a pack anew that Slurm has forgotten, under its name, with those of its jobs that have no result.
  ///
  /// - Throws: ``SlurmCommandError`` where Slurm does not answer, ``SlurmFailure`` where it does not take the pack,
  ///   `DurableFileError`
  func submitAgain(_ name: String) async throws {
    if let last = again[name], last.duration(to: .now) < settings.confirmation { return }
    again = again.filter { $0.value.duration(to: .now) < .seconds(3600) }
    again[name] = .now
    let members = folders.all().compactMap { _, folder -> Member? in
      guard let submission = try? folder.submission(), submission.pack == name,
        !folder.hasResult(submission.number)
      else { return nil }
      return Member(folder: folder, submission: submission, seconds: 0, priority: 0)
    }
    guard !members.isEmpty else { return }
    logger.warning("Slurm does not know \(name): it is submitted again")
    var request = try self.request(members, name)
    request.excluded = await nodes.excluded()
    do throws(SlurmCommandError) {
      note(try await cluster.submit(request), of: request, given: members)
    } catch {
      guard !error.isSilence else { throw error }
      throw SlurmFailure(refusing: error)
    }
  }
}
