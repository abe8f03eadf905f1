import ArgumentParser
import JobLedger

/// Which part of the jobs is listed, and in which order.
struct JobPageOptions: ParsableArguments {
  /// So many lines has a table where nothing is said.
  private static let lines = 100

  @Option(
    help: ArgumentHelp(
      "Sort by number, created, finished, priority, state or model; by default by number.",
      valueName: "key"))
  var sort: JobQuery.Order?

  @Flag(help: "Reverse the order: the newest, last or highest first.")
  var reverse = false

  @Option(
    help: ArgumentHelp(
      "List at most this many jobs, the last ones unless --sort, --reverse or --after is given; 0 for all.",
      valueName: "count"))
  var limit: Int?

  @Option(
    help: ArgumentHelp(
      "Skip this many, from the end unless --sort, --reverse or --after is given.",
      valueName: "count")
  )
  var offset = 0

  @Option(help: ArgumentHelp("List the jobs that follow this one by number.", valueName: "job"))
  var after: Int64?

  var isEmpty: Bool { sort == nil && !reverse && limit == nil && offset == 0 && after == nil }

  func validate() throws {
    guard limit ?? 0 >= 0, offset >= 0 else {
      throw ValidationError("--limit and --offset must not be negative")
    }
    guard after == nil || sort ?? .number == .number else {
      throw ValidationError("--after goes by number, and not with another --sort")
    }
  }

  /// - Parameter isTable: whether it is for people.
  func jobs(_ selection: JobSelection, in ledger: Ledger, isTable: Bool) throws -> [JobSummary] {
    var query = JobQuery()
    query.selection = selection
    query.order = sort ?? .number
    query.limit = limit.map { $0 == 0 ? nil : $0 } ?? (isTable ? Self.lines : nil)
    query.offset = offset
    query.after = after
    // The last ones, in the order of their numbers.
    let isTail = sort == nil && !reverse && after == nil
    query.isDescending = reverse || isTail
    let jobs = try ledger.jobs(query)
    return isTail ? jobs.reversed() : jobs
  }
}

extension JobQuery.Order: ExpressibleByArgument {}
