import Foundation
import Segmentation
import SeriesProcessing

/// The outcome for one DICOM series or NIfTI volume as `run` prints it.
struct RunReport: Encodable {
  var seriesInstanceUID: String?
  var volume: String?
  var state: String
  var segmentation: String?
  /// Further objects of a divided result.
  var furtherSegmentations: [String]?
  /// The structured report.
  var report: String?
  /// Secondary captures.
  var captures: [String]?
  /// Pictures that show the result at a glance.
  var pages: [String]?
  /// The labels as a label map, and as an RT Structure Set.
  var labelMap: String?
  var fractional: String?
  var structureSet: String?
  var labels: String?
  var picture: String?
  var millilitres: [String: Double]?
  /// One for each phase of a cine series that was segmented.
  var phases: [PhaseReport]?
  /// What the cavities of a heart do.
  var function: [FunctionReport]?
  var mass: MassReport?
  var memory: MemoryUse?
  /// Of each stage, and in all.
  var seconds: [String: Double]?
  /// The same for people.
  private var time: String?
  var warnings: [String] = []
  /// How the labels were made, where a reader should know.
  var notes: [String] = []
  var reasons: [String] = []

  init(series: String? = nil, volume: String? = nil, failure: any Error) {
    seriesInstanceUID = series
    self.volume = volume
    state = failure is InputRefusal ? "held" : "failed"
    reasons = ["\(failure)"]
  }

  private enum CodingKeys: String, CodingKey {
    case seriesInstanceUID, volume, state, segmentation, furtherSegmentations, report, captures,
      pages, labelMap, fractional, structureSet, labels, picture, millilitres, phases
    case function, mass, memory, seconds, warnings, notes, reasons
  }

  init(_ seriesInstanceUID: String, _ outcome: SeriesOutcome, _ times: StageTimes) {
    self.seriesInstanceUID = seriesInstanceUID
    switch outcome {
    case .segmented(let result):
      state = "segmented"
      if let object = result.objects.first, object.phase == nil {
        take(result.objects)
        labelMap = object.path(of: .labelMap)
        fractional = object.path(of: .fractional)
        structureSet = object.path(of: .structureSet)
        labels = object.labels?.path
        picture = object.picture.path
      } else {
        phases = result.objects.compactMap(PhaseReport.init)
        function = result.function.map(FunctionReport.init)
        mass = result.mass.map(MassReport.init)
        picture = result.cyclePicture?.path
      }
      report = result.report?.file.path
      take(result.captures)
      memory = result.memory
      warnings = result.warnings
      notes = result.notes
    case .nothingFound(let picture, let warnings, let objects, let report, let captures):
      state = "nothing found"
      take(captures)
      take(objects)
      self.report = report?.file.path
      millilitres = nil
      self.picture = picture.path
      self.warnings = warnings
    case .held(let reasons):
      state = "held"
      self.reasons = reasons
      return
    }
    take(times)
  }

  init(_ volume: String, _ result: LabelledVolume, _ times: StageTimes) {
    self.volume = volume
    state = result.millilitres.isEmpty ? "nothing found" : "segmented"
    labels = result.labels.path
    picture = result.picture.path
    millilitres = result.millilitres
    warnings = result.warnings
    notes = result.notes
    take(times)
  }

  /// The same with its files in another folder.
  func moved(from old: URL, to new: URL) -> RunReport {
    let path = { (path: String) in
      path.hasPrefix(old.path + "/") ? new.path + path.dropFirst(old.path.count) : path
    }
    var moved = self
    moved.segmentation = segmentation.map(path)
    moved.furtherSegmentations = furtherSegmentations?.map(path)
    moved.report = report.map(path)
    moved.captures = captures?.map(path)
    moved.pages = pages?.map(path)
    moved.labelMap = labelMap.map(path)
    moved.fractional = fractional.map(path)
    moved.structureSet = structureSet.map(path)
    moved.labels = labels.map(path)
    moved.picture = picture.map(path)
    moved.phases = phases?.map { phase in
      var moved = phase
      moved.segmentation = path(phase.segmentation)
      moved.labelMap = phase.labelMap.map(path)
      moved.fractional = phase.fractional.map(path)
      moved.structureSet = phase.structureSet.map(path)
      moved.labels = phase.labels.map(path)
      moved.picture = path(phase.picture)
      return moved
    }
    return moved
  }

  /// The objects of one volume.
  private mutating func take(_ objects: [ProvedSegmentation]) {
    segmentation = objects.first?.segmentation.path
    let further = objects.dropFirst().map(\.segmentation.path)
    furtherSegmentations = further.isEmpty ? nil : further
    millilitres = objects.reduce(into: [:]) { $0.merge($1.millilitres) { $0 + $1 } }
  }

  private mutating func take(_ captures: [ProvedCapture]) {
    guard !captures.isEmpty else { return }
    self.captures = captures.map(\.file.path)
    pages = captures.compactMap(\.picture?.path)
  }

  private mutating func take(_ times: StageTimes) {
    seconds = times.seconds
    time = times.line
  }

  var text: String {
    let name = seriesInstanceUID.map { "series \($0)" } ?? "volume \(volume ?? "")"
    var lines = ["\(name): \(state)"]
    for path in [segmentation].compactMap(\.self) + (furtherSegmentations ?? []) {
      lines.append("  segmentation: \(path)")
    }
    if let report { lines.append("  report: \(report)") }
    for path in captures ?? [] { lines.append("  capture: \(path)") }
    for path in pages ?? [] { lines.append("  page: \(path)") }
    if let labelMap { lines.append("  label map: \(labelMap)") }
    if let fractional { lines.append("  probabilities: \(fractional)") }
    if let structureSet { lines.append("  structure set: \(structureSet)") }
    if let labels { lines.append("  labels: \(labels)") }
    if let picture { lines.append("  picture: \(picture)") }
    for (name, volume) in (millilitres ?? [:]).sorted(by: { $0.key < $1.key }) {
      lines.append("  \(name): " + String(format: "%.2f ml", volume))
    }
    for phase in phases ?? [] { lines += phase.lines }
    for function in function ?? [] { lines.append("  " + function.text) }
    if let mass { lines.append("  " + mass.text) }
    if let time { lines.append("  time: \(time)") }
    lines += warnings.map { "  warning: \($0)" }
    lines += notes.map { "  note: \($0)" }
    lines += reasons.map { "  \($0)" }
    return lines.joined(separator: "\n")
  }
}

extension ProvedSegmentation {
  fileprivate func path(of kind: ProvedCompanion.Kind) -> String? {
    companions.first { $0.kind == kind }?.file.path
  }
}

/// One phase of a cine series as `run` prints it.
struct PhaseReport: Encodable {
  var phase: SegmentedPhase
  var segmentation: String
  var labelMap: String?
  var fractional: String?
  var structureSet: String?
  var labels: String?
  var picture: String
  var millilitres: [String: Double]

  init?(_ object: ProvedSegmentation) {
    guard let phase = object.phase else { return nil }
    self.phase = phase
    segmentation = object.segmentation.path
    labelMap = object.path(of: .labelMap)
    fractional = object.path(of: .fractional)
    structureSet = object.path(of: .structureSet)
    labels = object.labels?.path
    picture = object.picture.path
    millilitres = object.millilitres
  }

  var lines: [String] {
    ["  \(phase.text)", "    segmentation: \(segmentation)"]
      + [
        labelMap.map { "    label map: \($0)" }, fractional.map { "    probabilities: \($0)" },
        structureSet.map { "    structure set: \($0)" },
      ]
      .compactMap(\.self) + ["    picture: \(picture)"]
      + millilitres.sorted { $0.key < $1.key }
      .map { "    \($0.key): " + String(format: "%.2f ml", $0.value) }
  }
}

/// What a cavity does, as `run` prints it.
struct FunctionReport: Encodable {
  var cavity: String
  var endDiastolicMillilitres: Double
  var endSystolicMillilitres: Double
  var strokeMillilitres: Double
  /// From 0 to 1; absent for an empty cavity.
  var ejectionFraction: Double?
  private let function: CardiacFunction

  private enum CodingKeys: String, CodingKey {
    case cavity, endDiastolicMillilitres, endSystolicMillilitres, strokeMillilitres
    case ejectionFraction
  }

  init(_ function: CardiacFunction) {
    self.function = function
    cavity = function.cavity
    endDiastolicMillilitres = function.endDiastolicVolume
    endSystolicMillilitres = function.endSystolicVolume
    strokeMillilitres = function.strokeVolume
    ejectionFraction = function.ejectionFraction
  }

  var text: String { function.text }
}

/// The mass of the myocardium, as `run` prints it.
struct MassReport: Encodable {
  var structure: String
  var endDiastolicMillilitres: Double
  var grams: Double
  private let mass: MyocardialMass

  private enum CodingKeys: String, CodingKey { case structure, endDiastolicMillilitres, grams }

  init(_ mass: MyocardialMass) {
    self.mass = mass
    structure = mass.structure
    endDiastolicMillilitres = mass.endDiastolicVolume
    grams = mass.grams
  }

  var text: String { mass.text }
}
