import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Volumes
import Wording

/// Segments phases of a cine series, one object for each.
struct PhaseProcessor {
  private let rule: CineRule
  private let choice: PhaseChoice
  private let export: ResultExport
  /// The volumes of the phases by time.
  private let phases: [Phase]

  private struct Phase {
    var stack: SliceStack
    /// ms; nil where an image states none.
    var triggerTime: Double?
  }

  /// What tells the phases of a heartbeat apart, as ``SliceStack/splitBy`` names it: their times, and
  /// numbers that count them. By anything else, such as Image Type, Echo Time or b-value, volumes are
  /// other images of the heart.
  private static let attributesOfTime: Set = [
    "TriggerTime", "CardiacPhase", "NominalPercentageOfCardiacPhase", "TemporalPositionIdentifier",
    "TemporalPositionIndex", "TemporalPositionTimeOffset", "NominalCardiacTriggerDelayTime",
    "ActualCardiacTriggerDelayTime", "NominalCardiacTriggerTimePriorToRPeak",
    "FrameReferenceTime", "FrameAcquisitionDateTime", "FrameReferenceDateTime",
    "AcquisitionNumber", "AcquisitionTime", "ContentTime", "InstanceNumber",
  ]

  /// - Throws: `HeldSeries` where the volumes of the series are not the phases of one slice stack.
  init(source: SourceSeries, rule: CineRule, choice: PhaseChoice, export: ResultExport) throws {
    self.rule = rule
    self.choice = choice
    self.export = export
    let volumes = source.assessment.usableStacks
    guard let first = volumes.first, volumes.count > 1,
      volumes.allSatisfy({ $0.sourceGrid.coincides(with: first.sourceGrid) })
    else {
      throw HeldSeries(
        reasons: ["the volumes of the series are not phases of one stack"]
          + source.assessment.reasons)
    }
    let others = Set(volumes.flatMap(\.splitBy.keys)).subtracting(Self.attributesOfTime)
    guard others.isEmpty else {
      throw HeldSeries(
        reasons: [
          "the volumes of the series differ by \(others.sorted().joined(separator: ", ")) and not "
            + "by time alone: they are not the phases of one heartbeat"
        ] + source.assessment.reasons)
    }
    let phases = volumes.map { stack in
      let times = stack.frames.compactMap(\.triggerTime)
      let isTimed = times.count == stack.frames.count
      return Phase(
        stack: stack, triggerTime: isTimed ? times.reduce(0, +) / Double(times.count) : nil)
    }
    let isTimed = phases.allSatisfy { $0.triggerTime != nil }
    self.phases =
      isTimed ? phases.sorted { ($0.triggerTime ?? 0) < ($1.triggerTime ?? 0) } : phases
  }

  /// Whether the extremes are looked for in labels that take less work than those of a result. Of two phases both are
  /// extremes: there is nothing to look for.
  private var isSearchedApart: Bool {
    phases.count > 2 && export.bundle.inference.isSearchedApart
  }

  /// - Parameter segment: the labels of a phase's stack, and what they are for; the phase is counted from 0.
  func process(
    _ segment: (_ phase: Int, SliceStack, SegmentationPurpose) async throws -> SegmentedStack
  ) async throws -> SeriesOutcome {
    var known: [Int: SegmentedStack] = [:]
    var memory = MemoryUse(predicted: 0)
    func made(_ phase: Int, for purpose: SegmentationPurpose) async throws -> SegmentedStack {
      var segmented = try await segment(phase, phases[phase].stack, purpose)
      // Only the labels are left of what it took, and the next phase takes as much.
      segmented.reservation = nil
      memory = MemoryUse(predicted: max(memory.predicted, segmented.predictedMemory))
      return segmented
    }
    func segmented(_ phase: Int) async throws -> SegmentedStack {
      if let segmented = known[phase] { return segmented }
      let segmented = try await made(phase, for: .result)
      known[phase] = segmented
      return segmented
    }
    func searched(_ phase: Int) async throws -> LabelVolume {
      guard isSearchedApart else { return try await segmented(phase).labels }
      return try await made(phase, for: .search).labels
    }
    var cycle: Cycle?
    if choice == .extremes {
      let found = try await self.cycle(of: segmented, searching: searched)
      if let warning = found.warning { known[found.systole]?.warnings.append(warning) }
      if !isTimed {
        for phase in [found.diastole, found.systole] { known[phase]?.notes.append(Self.untimed) }
      }
      cycle = found
    }
    let names = cycle?.names ?? [:]
    var objects: [ProvedSegmentation] = []
    var measured: [MeasuredSegmentation] = []
    var captures: [ProvedCapture] = []
    var firstPicture: URL?
    var warnings: [String] = []
    var emptyPhases: [String] = []
    let wanted = try wanted(names)
    for (index, phase) in wanted.enumerated() {
      let result = try await segmented(phase)
      let description = SegmentedPhase(
        number: phase + 1, count: phases.count, triggerTime: phases[phase].triggerTime,
        name: names[phase])
      let written = try export.write(
        result, stack: phases[phase].stack, phase: description,
        index: objects.count, volume: index)
      switch written {
      case .proved(let proved, let numbers, let pictures):
        objects += proved
        measured += numbers
        captures += pictures
      case .nothingFound(let picture, let empty, let pictures):
        captures += pictures
        objects += empty
        firstPicture = firstPicture ?? picture
        warnings += result.warnings
        if empty.isEmpty {
          emptyPhases += (["nothing was found"] + result.warnings)
            .map { "\(description.text): \($0)" }
        }
      }
      // Only extremes are looked at twice.
      if choice != .extremes { known[phase] = nil }
    }
    let stacks = wanted.map { phases[$0].stack }
    if let firstPicture, objects.allSatisfy(\.millilitres.isEmpty) {
      return .nothingFound(
        picture: firstPicture, warnings: warnings, objects: objects,
        report: try export.writeReportOfNothing(in: stacks, warnings: warnings),
        captures: captures)
    }
    var series = SegmentedSeries(
      objects: objects, function: cycle?.function ?? [], mass: cycle?.mass,
      cyclePicture: try await picture(of: cycle, segmented), memory: memory)
    series.captures = captures
    series.emptyPhases = emptyPhases
    series.report = try export.writeReport(
      measured, of: stacks, heart: cycle == nil ? nil : rule, warnings: series.warnings)
    return .segmented(series)
  }

  /// The extremes of the heartbeat and what follows from them.
  private struct Cycle {
    var diastole: Int
    var systole: Int
    var function: [CardiacFunction]
    var mass: MyocardialMass?
    var warning: String?

    var names: [Int: String] { [diastole: "end-diastole", systole: "end-systole"] }
  }

  private static let untimed =
    "no Trigger Time (0018,1060) tells the phases apart: every phase was segmented, and the largest "
    + "and the smallest cavity taken for end-diastole and end-systole"

  /// Whether each phase has a time of its own.
  private var isTimed: Bool {
    let times = phases.compactMap(\.triggerTime)
    return times.count == phases.count && Set(times).count == times.count
  }

  /// - Parameters:
  ///   - segmented: a phase as it is written; asked for the two extremes.
  ///   - searched: the labels of a phase among which they are looked for; asked once for each phase.
  /// - Throws: `CardiacCycleError`, or what `segmented` and `searched` throw.
  private func cycle(
    of segmented: (Int) async throws -> SegmentedStack,
    searching searched: (Int) async throws -> LabelVolume
  ) async throws -> Cycle {
    func cavity(_ phase: Int) async throws -> Double {
      millilitres(try await searched(phase), rule.cavities[0], phase)
    }
    let extremes =
      isTimed
      ? try await CardiacCycle(triggerTimes: phases.compactMap(\.triggerTime))
        .extremes(cavity: cavity)
      : try await CardiacCycle.extremes(ofAll: phases.count, cavity: cavity)
    let (diastole, systole) = (extremes.endDiastole, extremes.endSystole)
    let diastolic = try await segmented(diastole).labels
    let function = cardiacFunction(
      diastole: (diastolic, diastole), systole: (try await segmented(systole).labels, systole))
    try function.first?.checkContraction()
    var cycle = Cycle(diastole: diastole, systole: systole, function: function)
    if let limit = rule.ejectionFraction {
      cycle.warning = try function.first?.check(limit)?.description
    }
    cycle.mass = rule.myocardium.map { label in
      MyocardialMass(
        structure: name(of: label), endDiastolicVolume: millilitres(diastolic, label, diastole))
    }
    return cycle
  }

  private func picture(
    of cycle: Cycle?, _ segmented: (Int) async throws -> SegmentedStack
  ) async throws -> URL? {
    guard let cycle else { return nil }
    let (diastole, systole) = (
      try await segmented(cycle.diastole), try await segmented(cycle.systole)
    )
    let names = [("end-diastole", cycle.diastole), ("end-systole", cycle.systole)]
      .map { name, phase in
        SegmentedPhase(
          number: phase + 1, count: phases.count, triggerTime: phases[phase].triggerTime,
          name: name
        ).text
      }
    return try export.writeCyclePicture(
      [
        (diastole.labels, phases[cycle.diastole].stack),
        (systole.labels, phases[cycle.systole].stack),
      ], names: names,
      remarks: diastole.warnings
        + systole.warnings.filter { !diastole.warnings.contains($0) })
  }

  /// What each cavity does, by the labels and numbers of two phases.
  private func cardiacFunction(
    diastole: (labels: LabelVolume, phase: Int), systole: (labels: LabelVolume, phase: Int)
  ) -> [CardiacFunction] {
    rule.cavities.map { cavity in
      CardiacFunction(
        cavity: name(of: cavity),
        endDiastolicVolume: millilitres(diastole.labels, cavity, diastole.phase),
        endSystolicVolume: millilitres(systole.labels, cavity, systole.phase))
    }
  }

  private func name(of label: UInt8) -> String {
    export.bundle.labels.first { $0.value == label }?.name ?? "\(label)"
  }

  private func wanted(_ extremes: [Int: String]) throws -> [Int] {
    switch choice {
    case .all: return Array(phases.indices)
    case .extremes:
      // Diastole before systole.
      return extremes.sorted { $0.value < $1.value }.map(\.key)
    case .list(let numbers):
      if let number = numbers.first(where: { !phases.indices.contains($0 - 1) }) {
        throw HeldSeries(
          reasons: ["there is no phase \(number): the series has \(counted(phases.count, "phase"))"]
        )
      }
      return numbers.map { $0 - 1 }
    }
  }

  private func millilitres(_ labels: LabelVolume, _ label: UInt8, _ phase: Int) -> Double {
    labels.millilitres(depths: phases[phase].stack.sliceDepths)[Int(label)]
  }
}
