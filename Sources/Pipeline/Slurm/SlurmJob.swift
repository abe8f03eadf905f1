import Foundation

/// A job as `squeue --json` tells of it, and known by its name.
struct SlurmJob: Sendable, Equatable {
  var name: String
  /// `RUNNING`, `OUT_OF_MEMORY`…
  var state: String
  /// Why it waits, in Slurm's words; nil where nothing is said.
  var reason: String?
  var nodes: String
  /// Seconds since 1970.
  var submitted: Int
  /// Slurm's number, for people: after a crash of slurmctld it may be given to another job.
  var number: Int?
  var partition: String?
  /// How its program ended; nil where it has not, or that is not known.
  var exit: SlurmExit?

  private static let active: Set = [
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD",
    "REQUEUE_FED", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED",
  ]

  var isActive: Bool { Self.active.contains(state) }

  /// Whether it will not start until a person releases it.
  var isHeld: Bool {
    guard state == "PENDING" || state == "REQUEUE_HOLD" || state == "SPECIAL_EXIT" else {
      return false
    }
    let reason = (reason ?? "").lowercased()
    return state != "PENDING" || reason.contains("held")
  }
}

/// How the program of a job ended.
enum SlurmExit: Sendable, Equatable {
  case status(Int)
  /// Of the system; a greater one than it knows says that slurmd could not start the program.
  case signal(Int)

  /// - Parameter wait: as `waitpid` gives it, and Slurm up to 22.05.
  init(wait: Int) {
    let signal = wait & 0x7F
    self = signal == 0 ? .status((wait >> 8) & 0xFF) : .signal(signal)
  }
}

/// What `sinfo --Node` prints with a format of `name|state|…`.
enum SlurmNodeListing {
  /// Those that take jobs: neither drained, nor down, nor silent.
  static func usable(_ listing: String) -> Set<String> {
    let names = listing.split(separator: "\n").compactMap { line -> String? in
      let fields = line.split(separator: "|", omittingEmptySubsequences: false)
      guard fields.count >= 2, isUsable(String(fields[1])) else { return nil }
      return String(fields[0])
    }
    return Set(names)
  }

  /// - Parameter listing: lines of "allocated/idle/other/all".
  static func idleProcessors(_ listing: String) -> Int {
    listing.split(separator: "\n").reduce(0) { sum, line in
      let fields = line.split(separator: "/")
      return sum + (fields.count == 4 ? Int(fields[1]) ?? 0 : 0)
    }
  }

  private static func isUsable(_ state: String) -> Bool {
    !["drain", "down", "fail"].contains { state.hasPrefix($0) } && !state.hasSuffix("*")
  }
}

/// What `squeue --json -t all` prints.
enum SlurmQueueListing {
  private struct Listing: Decodable {
    struct Problem: Decodable {
      var description: String?
      var error: String?
    }
    var jobs: [Job]
    var errors: [Problem]?
  }

  private struct Job: Decodable {
    var name: String
    var state: String
    var reason: String?
    var nodes: String
    var submitted: Int
    var number: Int?
    var partition: String?
    var exit: SlurmExit?
    /// Whose it is; nil where it is not told.
    var user: Int?

    private enum Keys: String, CodingKey {
      case name, nodes, partition
      case user = "user_id"
      case number = "job_id"
      case exit = "exit_code"
      case state = "job_state"
      case reason = "state_reason"
      case description = "state_description"
      case submitted = "submit_time"
    }

    private struct Number: Decodable { var number: Int? }

    /// From 23.02 on; what was a number is an object in later ones.
    private struct Exit: Decodable {
      struct Signal: Decodable {
        var id: Number?
        var number: Int?

        private enum CodingKeys: String, CodingKey {
          case id
          case number = "signal_id"
        }
      }
      var status: Int?
      var signal: Signal?

      private enum Keys: String, CodingKey {
        case signal
        case status = "return_code"
      }

      init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        status =
          (try? values.decode(Int.self, forKey: .status))
          ?? (try? values.decode(Number.self, forKey: .status))?.number
        signal = try? values.decode(Signal.self, forKey: .signal)
      }

      var known: SlurmExit? {
        let number = signal?.id?.number ?? signal?.number ?? 0
        return number > 0 ? .signal(number) : status.map { .status($0) }
      }
    }

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Keys.self)
      name = try values.decodeIfPresent(String.self, forKey: .name) ?? ""
      // A text up to Slurm 23.02, then a list with flags behind the state.
      if let states = try? values.decode([String].self, forKey: .state) {
        state = states.first ?? ""
        if states.contains("COMPLETING") { state = "COMPLETING" }
      } else {
        state = try values.decode(String.self, forKey: .state)
      }
      let texts = [Keys.description, .reason].compactMap {
        try? values.decodeIfPresent(String.self, forKey: $0)
      }
      let words = texts.filter { !$0.isEmpty && $0 != "None" }.joined(separator: "; ")
      reason = words.isEmpty ? nil : words
      nodes = (try? values.decodeIfPresent(String.self, forKey: .nodes)) ?? ""
      partition = try? values.decodeIfPresent(String.self, forKey: .partition)
      number = try? values.decodeIfPresent(Int.self, forKey: .number)
      user = try? values.decodeIfPresent(Int.self, forKey: .user)
      if let wait = try? values.decode(Int.self, forKey: .exit) {
        exit = SlurmExit(wait: wait)
      } else {
        exit = (try? values.decode(Exit.self, forKey: .exit))?.known
      }
      if let number = try? values.decode(Int.self, forKey: .submitted) {
        submitted = number
      } else {
        submitted = (try? values.decode(Number.self, forKey: .submitted))?.number ?? 0
      }
    }
  }

  /// The jobs by their names: of several of one name that which is active, or the last.
  ///
  /// - Parameters:
  ///   - data: what the command printed.
  ///   - user: whose jobs are meant, as anyone may give a job the name of another; nil for all.
  /// - Throws: ``SlurmCommandError`` where it is not understood, or tells of an error.
  static func jobs(_ data: Data, of user: uid_t? = nil)
    throws(SlurmCommandError) -> [String: SlurmJob]
  {
    let listing: Listing
    do { listing = try JSONDecoder().decode(Listing.self, from: data) } catch {
      throw SlurmCommandError(
        command: "squeue", status: 0, message: "what it prints is not understood: \(error)")
    }
    // Without its controller it may print an empty list, and end with status 0.
    if let problem = listing.errors?.first {
      throw SlurmCommandError(
        command: "squeue", status: 0,
        message: [problem.error, problem.description].compactMap(\.self).joined(separator: ": "))
    }
    var jobs: [String: SlurmJob] = [:]
    for job in listing.jobs {
      if let user, let owner = job.user, owner != Int(user) { continue }
      let job = SlurmJob(
        name: job.name, state: job.state, reason: job.reason, nodes: job.nodes,
        submitted: job.submitted, number: job.number, partition: job.partition, exit: job.exit)
      if let known = jobs[job.name] {
        let rank = { (job: SlurmJob) in (job.state == "PENDING" ? 1 : job.isActive ? 2 : 0) }
        let order = { (job: SlurmJob) in (rank(job), job.submitted, job.number ?? 0) }
        if order(known) > order(job) { continue }
      }
      jobs[job.name] = job
    }
    return jobs
  }
}
