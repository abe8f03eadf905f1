import DICOM
import Foundation
import SeriesSelection
import Volumes

extension SeriesFacts {
  /// What some frames of a series say.
  ///
  /// - Parameter headers: of the files that the frames are from, by path.
  init(seriesInstanceUID: String, frames: [ImageFrame], headers: [String: HeaderFacts]) {
    var gathered = GatheredFacts()
    // In the order in which the files were read.
    var files: [String] = []
    let byFile = Dictionary(grouping: frames, by: \.file)
    for frame in frames where files.last != frame.file { files.append(frame.file) }
    var seen: Set<String> = []
    for file in files where seen.insert(file).inserted {
      gathered.add(headers[file] ?? HeaderFacts(), frames: byFile[file] ?? [])
    }
    self = gathered.facts(of: seriesInstanceUID)
  }
}

/// What the top of a file says to rules, whatever its frames say.
struct HeaderFacts: Sendable {
  private(set) var values: [SeriesAttribute: SeriesValue] = [:]
  private(set) var seriesNumber: Int?
  private(set) var moment: StatedMoment?

  init() {}

  init(_ dataset: Dataset) {
    seriesNumber = dataset.integer(.seriesNumber)
    moment = StatedMoment(latestIn: dataset)
    addSeries(dataset)
    addSequence(dataset)
  }

  private mutating func set(_ attribute: SeriesAttribute, text: String?) {
    guard let text, !text.isEmpty else { return }
    values[attribute] = attribute.kind == .text ? .text(text) : .codes([text])
  }

  private mutating func set(_ attribute: SeriesAttribute, number: Double?) {
    values[attribute] = number.map { .numbers([$0]) }
  }

  private mutating func set(_ attribute: SeriesAttribute, codes: [String]) {
    if !codes.isEmpty { values[attribute] = .codes(codes) }
  }

  private mutating func addSeries(_ dataset: Dataset) {
    set(.seriesDescription, text: dataset.text(.seriesDescription))
    set(.protocolName, text: dataset.text(.protocolName))
    set(.studyDescription, text: dataset.text(.studyDescription))
    set(.bodyPart, text: dataset.text(.bodyPartExamined))
    set(.laterality, text: dataset.text(.laterality) ?? dataset.text(.imageLaterality))
    set(.manufacturer, text: dataset.text(.manufacturer))
    let agent = dataset.text(.contrastBolusAgent) ?? ""
    let usage = dataset.functionalGroup(.contrastBolusUsageSequence)
    let isGiven = usage?.text(.contrastBolusAgentAdministered) == "YES"
    set(.contrastAgent, text: agent)
    values[.contrast] = .flag(!agent.isEmpty || isGiven)
    set(.contrastPhase, text: usage?.text(.contrastBolusAgentPhase))
  }

  /// How an MR image was acquired: at the top of a classic image, in functional groups of an
  /// enhanced one.
  private mutating func addSequence(_ dataset: Dataset) {
    let timing = dataset.functionalGroup(.mrTimingAndRelatedParametersSequence)
    set(.scanningSequence, codes: dataset.texts(.scanningSequence))
    set(.sequenceVariant, codes: dataset.texts(.sequenceVariant))
    set(.sequenceName, text: dataset.text(.sequenceName) ?? dataset.text(.pulseSequenceName))
    set(.acquisitionType, text: dataset.text(.mrAcquisitionType))
    set(
      .repetitionTime, number: dataset.real(.repetitionTime) ?? timing?.real(.repetitionTime))
    set(.flipAngle, number: dataset.real(.flipAngle) ?? timing?.real(.flipAngle))
    set(.fieldStrength, number: dataset.real(.magneticFieldStrength))
  }
}

/// Counts how many images of a series have which value.
private struct GatheredFacts {
  private var counts: [SeriesAttribute: [String: (value: SeriesValue, count: Int)]] = [:]
  private var seriesNumber: Int?
  private var frames: [ImageFrame] = []

  mutating func add(_ header: HeaderFacts, frames found: [ImageFrame]) {
    seriesNumber = seriesNumber ?? header.seriesNumber
    frames += found
    for (attribute, value) in header.values { count(attribute, value, found.count) }
    for frame in found { add(frame) }
  }

  func facts(of series: String) -> SeriesFacts {
    var facts = SeriesFacts(
      seriesInstanceUID: series, seriesNumber: seriesNumber, imageCount: frames.count)
    for (attribute, values) in counts {
      // Of two values that are as frequent the one that sorts first counts, whatever came first.
      let most = values.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
      facts[attribute] = most?.value.value
    }
    setGeometry(&facts)
    return facts
  }

  private mutating func count(_ attribute: SeriesAttribute, _ value: SeriesValue, _ weight: Int) {
    counts[attribute, default: [:]]["\(value)", default: (value, 0)].count += weight
  }

  private mutating func count(_ attribute: SeriesAttribute, text: String?) {
    guard let text, !text.isEmpty else { return }
    count(attribute, attribute.kind == .text ? .text(text) : .codes([text]), 1)
  }

  private mutating func count(_ attribute: SeriesAttribute, number: Double?) {
    if let number { count(attribute, .numbers([number]), 1) }
  }

  private mutating func add(_ frame: ImageFrame) {
    count(.modality, text: frame.modality)
    if !frame.imageType.isEmpty { count(.imageType, .codes(frame.imageType), 1) }
    count(.convolutionKernel, text: frame.convolutionKernel)
    count(.sliceThickness, number: frame.sliceThickness)
    if frame.pixelSpacing.count == 2 { count(.pixelSpacing, .numbers(frame.pixelSpacing), 1) }
    count(.echoTime, number: frame.echoTime)
    count(.bValue, number: frame.bValue)
    count(.diffusionDirectionality, text: frame.diffusionDirectionality)
    count(.complexComponent, text: frame.complexComponent)
    count(.inversionTime, number: frame.inversionTime)
    count(.echoNumber, number: frame.echoNumber.map(Double.init))
    count(.temporalPosition, number: frame.temporalPosition.map(Double.init))
    count(.acquisitionNumber, number: frame.acquisitionNumber.map(Double.init))
    count(.triggerTime, number: frame.triggerTime)
    count(.cardiacPhasePercentage, number: frame.nominalPercentageOfCardiacPhase)
    count(.tubeVoltage, number: frame.tubeVoltage)
    if !frame.scanOptions.isEmpty { count(.scanOptions, .codes(frame.scanOptions), 1) }
  }

  /// Places along the normal that most images have; those of other orientations are left out.
  private func setGeometry(_ facts: inout SeriesFacts) {
    let placed = frames.filter {
      $0.imageOrientation.count == 6 && $0.imagePosition.count == 3
    }
    func key(_ frame: ImageFrame) -> [Int] {
      frame.imageOrientation.map { Int(($0.clamped * 1000).rounded()) }
    }
    let groups = Dictionary(grouping: placed, by: key)
    guard
      let group = groups.max(by: {
        ($0.value.count, $1.key.description) < ($1.value.count, $0.key.description)
      })?.value, let first = group.first
    else { return }
    let (row, column) = directions(first)
    let product = cross(row, column)
    let size = length(product)
    guard size > 0.5, size.isFinite else { return }
    let normal = product / size
    facts.setGeometry(normal: normal, distances: group.map { dot(position($0), normal) })
  }
}

extension Double {
  /// A direction cosine of a file may be any number.
  fileprivate var clamped: Double { isFinite ? Swift.min(Swift.max(self, -10), 10) : 0 }
}

extension Dataset {
  /// The functional group that all frames share, or that of the first (PS3.3 C.7.6.16). A classic
  /// instance may hold the sequence itself.
  fileprivate func functionalGroup(_ sequence: DICOM.Tag) -> Dataset? {
    items(sequence).first
      ?? items(.sharedFunctionalGroups).first?.items(sequence).first
      ?? items(.perFrameFunctionalGroups).first?.items(sequence).first
  }
}
