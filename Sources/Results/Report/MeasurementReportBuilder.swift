import DICOM
import Terminology
import Volumes

/// Builds the dataset of a measurement report.
struct MeasurementReportBuilder {
  /// What DCMTK's encoding of the content is taken for.
  static let ofContent: Set<Tag> = [
    .valueType, .conceptNameCodeSequence, .continuityOfContent, .contentTemplateSequence,
    .contentSequence, .completionFlag, .verificationFlag, .performedProcedureCodeSequence,
    .currentRequestedProcedureEvidenceSequence, .referencedPerformedProcedureStepSequence,
  ]
  /// What reports have no place for (PS3.3 A.35.13.3, C.17.1).
  static let withoutPlace: [Tag] = [.bodyPartExamined, .laterality, .requestAttributesSequence]

  private let report: MeasurementReport
  private let source: Dataset
  private let text: PlainText
  private let modality: String

  /// - Parameters:
  ///   - report: what is written.
  ///   - source: header of the image whose patient and study attributes are copied.
  init(_ report: MeasurementReport, source: Dataset) {
    self.report = report
    self.source = source
    text = PlainText(characterSet: source.texts(.specificCharacterSet))
    modality = report.stacks[0].frames[0].modality
  }

  private var origin: ResultOrigin { report.origin }

  /// All but the content.
  func header() throws(UncopiedAttribute) -> Dataset {
    var dataset = Dataset()
    let header = ResultHeader(source: source, origin: origin, identifiers: report.identifiers)
    try header.add(
      to: &dataset, sopClassUID: MeasurementReportStorage.sopClassUID, modality: "SR",
      studyInstanceUID: report.stacks[0].frames[0].studyInstanceUID,
      kind: "report")
    for tag in Self.withoutPlace { dataset[tag] = nil }
    return dataset
  }

  // MARK: Content

  func content() -> MeasurementReportContent {
    let first = report.stacks[0]
    var content = MeasurementReportContent(
      observer: MeasurementReportContent.Observer(
        uid: DICOMUID.named("device/\(origin.deviceSerialNumber)"), name: "segmentd",
        manufacturer: "segmentd", modelName: "segmentd",
        serialNumber: text.limited(origin.deviceSerialNumber, to: 64)),
      procedure: ReportConcepts.procedure(modality: modality),
      algorithm: MeasurementReportContent.Algorithm(
        name: text.limited(origin.modelName, to: 64),
        version: text.limited(origin.modelVersion, to: 64)),
      imageDescription: MeasurementReportContent.ImageDescription(
        modality: ["CT", "MR", "PT"].contains(modality) ? modality : "",
        frameOfReferenceUID: first.hasFrameOfReference ? first.frames[0].frameOfReferenceUID : "",
        rows: first.grid.rows, columns: first.grid.columns))
    content.images = images
    content.evidence = report.segmentations.map {
      MeasurementReportContent.Instance(
        studyInstanceUID: first.frames[0].studyInstanceUID,
        seriesInstanceUID: $0.identifiers.seriesInstanceUID,
        sopClassUID: SegmentationStorage.sopClassUID,
        sopInstanceUID: $0.identifiers.sopInstanceUID)
    }
    content.groups = report.segmentations.flatMap(groups) + heart
    content.evaluations = evaluations
    return content
  }

  /// Every image once, in the order of the slices.
  private var images: [MeasurementReportContent.Instance] {
    var seen: Set<String> = []
    return report.stacks.flatMap(\.frames).filter { seen.insert($0.sopInstanceUID).inserted }.map {
      MeasurementReportContent.Instance(
        studyInstanceUID: $0.studyInstanceUID, seriesInstanceUID: $0.seriesInstanceUID,
        sopClassUID: $0.sopClassUID, sopInstanceUID: $0.sopInstanceUID)
    }
  }

  private func groups(
    _ segmentation: MeasuredSegmentation
  ) -> [MeasurementReportContent.Group] {
    let quantity = SourceQuantity(segmentation.stack, source: source)
    return segmentation.segments.enumerated().map { index, segment in
      let (description, measured) = (segment.description, segment.measurement)
      var group = self.group(
        description, trackingID: text.limited(description.name, to: 64),
        trackingUID: segmentation.identifiers.trackingUID(ofSegment: index + 1))
      group.segment = MeasurementReportContent.Segment(
        sopClassUID: SegmentationStorage.sopClassUID,
        sopInstanceUID: segmentation.identifiers.sopInstanceUID, number: index + 1,
        sourceSeriesInstanceUID: segmentation.stack.frames[0].seriesInstanceUID)
      group.measurements = [
        number(ReportConcepts.volume, measured.millilitres, ReportConcepts.cubicCentimetre),
        number(quantity.concept, measured.mean, quantity.unit, ReportConcepts.mean),
        number(
          quantity.concept, measured.standardDeviation, quantity.unit,
          ReportConcepts.standardDeviation),
      ]
      group.measurements += zip(ReportConcepts.axes, measured.axes).map {
        number($0, $1, ReportConcepts.millimetre)
      }
      group.evaluations = moment(of: segmentation)
      return group
    }
  }

  private func moment(
    of segmentation: MeasuredSegmentation
  ) -> [MeasurementReportContent.Evaluation] {
    var evaluations: [MeasurementReportContent.Evaluation] = []
    switch segmentation.cyclePoint {
    case .endDiastole:
      evaluations.append(.init(ReportConcepts.cyclePhase, .code(ReportConcepts.endDiastole)))
    case .endSystole:
      evaluations.append(.init(ReportConcepts.cyclePhase, .code(ReportConcepts.endSystole)))
    case nil: break
    }
    if !segmentation.subject.isEmpty { evaluations.append(comment(segmentation.subject)) }
    return evaluations
  }

  private func group(
    _ description: SegmentDescription, trackingID: String, trackingUID: String
  ) -> MeasurementReportContent.Group {
    var group = MeasurementReportContent.Group(
      trackingID: trackingID, trackingUID: trackingUID, finding: limited(description.type))
    group.site = limited(description.anatomicRegion ?? description.type)
    if let side = description.modifier, ReportConcepts.sides.contains(side.value) {
      group.laterality = limited(side)
    }
    return group
  }

  private func number(
    _ concept: CodedConcept, _ value: Double, _ unit: CodedConcept,
    _ derivation: CodedConcept? = nil
  ) -> MeasurementReportContent.Measurement {
    MeasurementReportContent.Measurement(
      concept, ReportNumber.text(value), unit, derivation: derivation)
  }

  private func limited(_ concept: CodedConcept) -> CodedConcept {
    CodedConcept(
      value: text.limited(concept.value, to: 16), scheme: text.limited(concept.scheme, to: 16),
      meaning: text.limited(concept.meaning, to: 64))
  }

  // MARK: Heart

  private var heart: [MeasurementReportContent.Group] {
    guard let heart = report.heart else { return [] }
    let volume = { (structure: SegmentDescription, point: CyclePoint) in
      report.millilitres(of: structure, at: point)
    }
    let function = heart.cavities.map { cavity in
      let concepts = CavityConcepts(cavity.type, modality: modality)
      let (diastolic, systolic) = (volume(cavity, .endDiastole), volume(cavity, .endSystole))
      var group = self.group(
        cavity, trackingID: text.limited("\(cavity.name) function", to: 64),
        trackingUID: report.trackingUID(ofFunction: cavity))
      group.measurements = [
        number(concepts.endDiastolicVolume, diastolic, ReportConcepts.millilitre),
        number(concepts.endSystolicVolume, systolic, ReportConcepts.millilitre),
        number(CavityConcepts.strokeVolume, diastolic - systolic, ReportConcepts.millilitre),
      ]
      if diastolic > 0 {
        group.measurements.append(
          number(
            concepts.ejectionFraction, 100 * (diastolic - systolic) / diastolic,
            ReportConcepts.percent))
      }
      return group
    }
    guard let myocardium = heart.myocardium else { return function }
    var mass = self.group(
      myocardium, trackingID: text.limited("\(myocardium.name) mass", to: 64),
      trackingUID: report.trackingUID(ofFunction: myocardium))
    mass.measurements = [
      number(
        CavityConcepts.leftVentricularMass, heart.density * volume(myocardium, .endDiastole),
        ReportConcepts.gram)
    ]
    return function + [mass]
  }

  // MARK: The whole report

  private var evaluations: [MeasurementReportContent.Evaluation] {
    let isNothing = report.segmentations.isEmpty
    let model = "\(origin.modelName) \(origin.modelVersion)"
    var evaluations = [
      MeasurementReportContent.Evaluation(
        ReportConcepts.summary,
        .code(isNothing ? ReportConcepts.withoutFindings : ReportConcepts.withFindings)),
      comment("Research use only"),
    ]
    let found = Set(report.segmentations.flatMap(\.segments).map(\.description.value))
    let missing = report.segments.filter { !found.contains($0.value) }.map(\.name)
    if isNothing {
      evaluations.append(
        comment("\(model) found none of: \(missing.joined(separator: ", "))"))
    } else if !missing.isEmpty {
      evaluations.append(comment("\(model) did not find: \(missing.joined(separator: ", "))"))
    }
    return evaluations + origin.remarks.map { comment("Warning: \($0)") }
  }

  private func comment(_ words: String) -> MeasurementReportContent.Evaluation {
    .init(ReportConcepts.comment, .text(text.limited(words, to: Self.longestComment)))
  }

  private static let longestComment = 4096
}

extension MeasurementReport {
  /// The volume of a structure, 0 where it was not found then.
  fileprivate func millilitres(
    of structure: SegmentDescription, at point: CyclePoint
  ) -> Double {
    segmentations.filter { $0.cyclePoint == point }.flatMap(\.segments)
      .first { $0.description.labels == structure.labels }?.measurement.millilitres ?? 0
  }

  fileprivate func trackingUID(ofFunction structure: SegmentDescription) -> String {
    DICOMUID.named("\(identifiers.seriesInstanceUID)/function/\(structure.value)")
  }
}

extension SourceQuantity {
  /// - Parameter source: header of one of the images.
  fileprivate init(_ stack: SliceStack, source: Dataset) {
    self.init(
      modality: stack.frames[0].modality,
      rescaleTypes: Set(stack.frames.map { $0.hasModalityLUT ? "LUT" : $0.rescaleType }),
      units: source.text(.units))
  }
}
