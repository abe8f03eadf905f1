import GeometryGate
import SeriesSelection
import Volumes

extension SourceSeries {
  /// Whether the series may be a slice of a stack of series, so that the others of its study say
  /// what it is: several images, all at one position.
  public func isSliceLocation(_ geometry: GeometryRules) -> Bool {
    GeometryGate.isSliceLocation(frames, rules: geometry)
  }

  /// The series with those that are one stack put together, each stack in the place of its first
  /// member. Series that look like a stack and are none are put together too, and held.
  ///
  /// - Parameters:
  ///   - series: of any studies, each by itself.
  ///   - geometry: the site's rules of the gate.
  ///   - preferred: members by whose UID a stack goes, as one that has a job already; else by that
  ///     of its first slice.
  /// - Throws: `DICOMError` only where our own disk or installation is at fault.
  public static func stacked(
    _ series: [SourceSeries], geometry: GeometryRules, preferred: Set<String> = []
  ) throws -> [SourceSeries] {
    let stacks = seriesStacks(series.map(\.frames), rules: geometry)
    var unit: [Int: SourceSeries] = [:]
    var members: Set<Int> = []
    for stack in stacks {
      let sources = stack.members.map { series[$0] }
      unit[stack.members.min() ?? 0] = try SourceSeries(
        stackOf: sources, problems: stack.problems, geometry: geometry, preferred: preferred)
      members.formUnion(stack.members)
    }
    return series.indices.compactMap { unit[$0] ?? (members.contains($0) ? nil : series[$0]) }
  }

  /// Reads the series of a stack.
  init(stackOf series: SeriesFiles, geometry: GeometryRules) throws {
    var first = series
    first.stackedWith = []
    let sources = try ([first] + series.stackedWith).map {
      try SourceSeries($0, geometry: geometry)
    }
    let stacks = seriesStacks(sources.map(\.frames), rules: geometry)
    // What has come since may have made another stack of them.
    let isOne = stacks.count == 1 && stacks[0].members.count == sources.count
    let problems =
      isOne
      ? stacks[0].problems
      : [GeometryFinding(.stackOfSeries, "they are no longer the slices of one stack")]
    try self.init(
      stackOf: isOne ? stacks[0].members.map { sources[$0] } : sources, problems: problems,
      geometry: geometry, preferred: [series.seriesInstanceUID])
  }

  private init(
    stackOf sources: [SourceSeries], problems: [GeometryFinding], geometry: GeometryRules,
    preferred: Set<String>
  ) throws {
    let digests = PixelDigests()
    let assessment = assess(
      stackOf: sources.map(\.frames), problems: problems, replacing: sources.flatMap(\.replaced),
      rules: geometry, pixelHash: digests.digest)
    if let fault = digests.fault { throw fault }
    let unreadable = sources.flatMap(\.unreadable)
    let members = sources.map(\.seriesInstanceUID)
    let first = sources.first { preferred.contains($0.seriesInstanceUID) } ?? sources[0]
    var files = first.files
    files.stackedWith = sources.map(\.files)
      .filter { $0.seriesInstanceUID != files.seriesInstanceUID }
    self.init(
      files: files, assessment: assessment.held(because: unreadable), stackMembers: members,
      bodyPart: sources.lazy.compactMap(\.bodyPart).first, frames: sources.flatMap(\.frames),
      headers: sources.reduce(into: [:]) { $0.merge($1.headers) { first, _ in first } },
      replaced: sources.flatMap(\.replaced), unreadable: unreadable)
  }
}
