import DICOM
import Terminology
import Volumes

/// The content tree that a report must have (PS3.16, TID 1500), made from what is known of the images and the
/// segmentations.
struct DueContent {
  private(set) var items: [DueItem] = []
  private let report: MeasurementReport
  private let measured: [MeasuredAnew]
  private let modality: String
  private let quantity: (concept: CodedConcept, unit: CodedConcept)
  /// As much of the volumes as the proof, which measures from positions, may differ.
  private let tolerance: Double

  private static let contains = "CONTAINS"
  private static let observes = "HAS OBS CONTEXT"
  private static let modifies = "HAS CONCEPT MOD"
  private static let acquires = "HAS ACQ CONTEXT"

  /// - Parameters:
  ///   - report: what was to be written.
  ///   - images: all source images.
  ///   - source: what their files say.
  ///   - measured: of each segmentation, in their order.
  ///   - written: the file that is to be proved.
  /// - Throws: ``ProofError`` where the segments are not those of the report.
  init(
    _ report: MeasurementReport, images: SliceStack, source: SourceRecord,
    measured: [MeasuredAnew], _ written: WrittenObject
  ) throws(ProofError) {
    self.report = report
    self.measured = measured
    modality = source.header.text(.modality) ?? ""
    quantity = Self.quantity(images, source)
    tolerance = report.stacks.contains { $0.sliceIndices != nil } ? 0.02 : 1e-4
    for (segmentation, anew) in zip(report.segmentations, measured) {
      try written.expect(
        segmentation.segments.count == anew.regions.count
          && !anew.regions.contains { $0.voxels == 0 },
        .segmentSequence, "of a segmentation is not what is measured")
    }
    items = observer + [procedure, library(images)]
    let groups =
      zip(report.segmentations, measured).flatMap { self.groups($0, $1) } + function
    if !groups.isEmpty {
      items.append(
        DueItem(
          Self.contains, dcm("126010", "Imaging Measurements"), .container(template: nil), groups))
    }
    items.append(
      DueItem(
        Self.contains, dcm("C0034375", "Qualitative Evaluations", scheme: "UMLS"),
        .container(template: nil), evaluations))
  }

  // MARK: Context

  private var observer: [DueItem] {
    let serial = report.origin.deviceSerialNumber
    return [
      DueItem(
        Self.modifies, dcm("121049", "Language of Content Item and Descendants"),
        .code(CodedConcept(value: "eng", scheme: "RFC5646", meaning: "English"))),
      DueItem(
        Self.observes, dcm("121005", "Observer Type"), .code(dcm("121007", "Device"))),
      DueItem(
        Self.observes, dcm("121012", "Device Observer UID"),
        .uid(DICOMUID.named("device/\(serial)"))),
      DueItem(Self.observes, dcm("121013", "Device Observer Name"), .text("segmentd")),
      DueItem(Self.observes, dcm("121014", "Device Observer Manufacturer"), .text("segmentd")),
      DueItem(Self.observes, dcm("121015", "Device Observer Model Name"), .text("segmentd")),
      DueItem(Self.observes, dcm("121016", "Device Observer Serial Number"), .text(serial)),
    ]
  }

  private var procedure: DueItem {
    let codes = [
      "CT": ("25045-6", "CT unspecified body region"),
      "MR": ("25056-3", "MRI unspecified body region"),
      "PT": ("44136-0", "PET unspecified body region"),
    ]
    let code =
      codes[modality].map { dcm($0.0, $0.1, scheme: "LN") }
      ?? dcm("363679005", "Imaging procedure", scheme: "SCT")
    return DueItem(Self.modifies, dcm("121058", "Procedure reported"), .code(code))
  }

  private func library(_ images: SliceStack) -> DueItem {
    var shared: [DueItem] = []
    let names = [
      "CT": "Computed Tomography", "MR": "Magnetic Resonance",
      "PT": "Positron emission tomography",
    ]
    if let name = names[modality] {
      shared.append(
        DueItem(Self.acquires, dcm("121139", "Modality"), .code(dcm(modality, name))))
    }
    let first = images.frames[0]
    let frames = Set(report.stacks[0].frames.map(\.frameOfReferenceUID))
    if frames.count == 1, DICOMUID.isValid(first.frameOfReferenceUID) {
      shared.append(
        DueItem(
          Self.acquires, dcm("112227", "Frame of Reference UID"), .uid(first.frameOfReferenceUID)))
    }
    let pixels = CodedConcept(value: "{pixels}", scheme: "UCUM", meaning: "pixels")
    for (code, name, count) in [
      ("110910", "Pixel Data Rows", first.rows), ("110911", "Pixel Data Columns", first.columns),
    ] {
      shared.append(
        DueItem(
          Self.acquires, dcm(code, name), .number(Double(count), within: 0, unit: pixels)))
    }
    var seen: Set<String> = []
    let listed = images.frames.filter { seen.insert($0.sopInstanceUID).inserted }.map {
      DueItem(
        Self.contains, nil,
        .image(sopClass: $0.sopClassUID, uid: $0.sopInstanceUID, segment: nil))
    }
    let group = DueItem(
      Self.contains, dcm("126200", "Image Library Group"), .container(template: nil),
      shared + listed)
    return DueItem(
      Self.contains, dcm("111028", "Image Library"), .container(template: "1600"), [group])
  }

  // MARK: Segments

  private func groups(
    _ segmentation: MeasuredSegmentation, _ anew: MeasuredAnew
  ) -> [DueItem] {
    segmentation.segments.indices.map { index in
      let (segment, region) = (segmentation.segments[index].description, anew.regions[index])
      var items = described(
        segment, id: anew.tracking[index].id, uid: anew.tracking[index].uid,
        references: [
          DueItem(
            Self.contains, dcm("121191", "Referenced Segment"),
            .image(
              sopClass: "1.2.840.10008.5.1.4.1.1.66.4",
              uid: segmentation.identifiers.sopInstanceUID, segment: index + 1)),
          DueItem(
            Self.contains, dcm("121232", "Source series for segmentation"),
            .uid(segmentation.stack.frames[0].seriesInstanceUID)),
        ])
      let (mean, deviation) = (region.mean, region.variance.squareRoot())
      let millilitres = region.cubicMillimetres / 1000
      let slack = 1e-5 * abs(mean) + 1e-4 * deviation + 1e-6
      items += [
        number(
          dcm("118565006", "Volume", scheme: "SCT"),
          .number(
            millilitres, within: tolerance * millilitres,
            unit: dcm("cm3", "cubic centimeter", scheme: "UCUM"))),
        number(
          quantity.concept, .number(mean, within: slack, unit: quantity.unit),
          derivation: dcm("373098007", "Mean", scheme: "SCT")),
        number(
          quantity.concept, .number(deviation, within: slack, unit: quantity.unit),
          derivation: dcm("386136009", "Standard Deviation", scheme: "SCT")),
      ]
      let millimetre = dcm("mm", "millimeter", scheme: "UCUM")
      for (rank, axis) in [
        ("TDIC", "Major Axis in 3D Length"), ("P9VJ", "Minor Axis in 3D Length"),
        ("7J51", "Least Axis in 3D Length"),
      ].enumerated() {
        items.append(
          number(
            dcm(axis.0, axis.1, scheme: "IBSI"),
            .checked({ region.isLength($0, ofAxis: rank) }, unit: millimetre)))
      }
      return group(items + moment(segmentation), template: "1411")
    }
  }

  private func moment(_ segmentation: MeasuredSegmentation) -> [DueItem] {
    var items: [DueItem] = []
    if let point = segmentation.cyclePoint {
      let code =
        point == .endDiastole
        ? dcm("416190007", "End diastole", scheme: "SCT")
        : dcm("416430001", "End Systole", scheme: "SCT")
      items.append(
        DueItem(
          Self.contains, dcm("246092007", "Cardiac cycle phase", scheme: "SCT"), .code(code)))
    }
    return items + (segmentation.subject.isEmpty ? [] : [comment(segmentation.subject)])
  }

  private func described(
    _ segment: SegmentDescription, id: String, uid: String, references: [DueItem]
  ) -> [DueItem] {
    var sides: [DueItem] = []
    if let side = segment.modifier, ["24028007", "7771000"].contains(side.value) {
      sides = [
        DueItem(
          Self.modifies, dcm("272741003", "Laterality", scheme: "SCT"), .code(side))
      ]
    }
    return [
      DueItem(Self.observes, dcm("112039", "Tracking Identifier"), .text(id)),
      DueItem(Self.observes, dcm("112040", "Tracking Unique Identifier"), .uid(uid)),
      DueItem(Self.contains, dcm("121071", "Finding"), .code(segment.type)),
    ] + references + [
      DueItem(
        Self.modifies, dcm("363698007", "Finding Site", scheme: "SCT"),
        .code(segment.anatomicRegion ?? segment.type), sides)
    ]
  }

  private func group(_ items: [DueItem], template: String) -> DueItem {
    DueItem(
      Self.contains, dcm("125007", "Measurement Group"), .container(template: template), items)
  }

  private func number(
    _ concept: CodedConcept, _ value: DueItem.Value, derivation: CodedConcept? = nil
  ) -> DueItem {
    var items = [
      DueItem(
        Self.modifies, dcm("111001", "Algorithm Name"), .text(Self.cut(report.origin.modelName))),
      DueItem(
        Self.modifies, dcm("111003", "Algorithm Version"),
        .text(Self.cut(report.origin.modelVersion))),
    ]
    if let derivation {
      items.insert(DueItem(Self.modifies, dcm("121401", "Derivation"), .code(derivation)), at: 0)
    }
    return DueItem(Self.contains, concept, value, items)
  }

  // MARK: Heart

  private var function: [DueItem] {
    guard let heart = report.heart else { return [] }
    var groups: [DueItem] = []
    for cavity in heart.cavities {
      let (diastolic, systolic) = (volume(cavity, .endDiastole), volume(cavity, .endSystole))
      let slack = tolerance * max(diastolic, systolic) + 1e-9
      let codes = codes(cavity.type)
      var numbers = zip(codes, [diastolic, systolic, diastolic - systolic]).map {
        DueItem(
          Self.contains, $0,
          .number($1, within: slack, unit: dcm("ml", "milliliter", scheme: "UCUM")))
      }
      if diastolic > 0 {
        let percent = dcm("%", "percent", scheme: "UCUM")
        numbers.append(
          DueItem(
            Self.contains, codes[3],
            .number(
              100 * (diastolic - systolic) / diastolic, within: 200 * slack / diastolic,
              unit: percent)))
      }
      groups.append(group(functionDescribed(cavity, "function") + numbers, template: "1501"))
    }
    guard let myocardium = heart.myocardium else { return groups }
    let grams = heart.density * volume(myocardium, .endDiastole)
    let mass = DueItem(
      Self.contains, dcm("18087-7", "Left Ventricle Mass", scheme: "LN"),
      .number(grams, within: tolerance * grams, unit: dcm("g", "gram", scheme: "UCUM")))
    return groups + [group(functionDescribed(myocardium, "mass") + [mass], template: "1501")]
  }

  /// As much of a text as Long String (LO, PS3.5 6.2) has room for.
  private static func cut(_ text: String) -> String {
    String(text.precomposedStringWithCanonicalMapping.unicodeScalars.prefix(64))
  }

  private func functionDescribed(_ structure: SegmentDescription, _ what: String) -> [DueItem] {
    described(
      structure, id: Self.cut("\(structure.name) \(what)"),
      uid: DICOMUID.named("\(report.identifiers.seriesInstanceUID)/function/\(structure.value)"),
      references: [])
  }

  /// In ml; 0 where it was not found then.
  private func volume(_ structure: SegmentDescription, _ point: CyclePoint) -> Double {
    for (segmentation, anew) in zip(report.segmentations, measured)
    where segmentation.cyclePoint == point {
      for (segment, region) in zip(segmentation.segments, anew.regions)
      where segment.description.labels == structure.labels {
        return region.cubicMillimetres / 1000
      }
    }
    return 0
  }

  /// Of end-diastolic, end-systolic and stroke volume and ejection fraction.
  private func codes(_ chamber: CodedConcept) -> [CodedConcept] {
    let stroke = dcm("90096001", "Stroke Volume", scheme: "SCT")
    let isCT = modality == "CT"
    switch chamber.value {
    case "87878005":
      return [
        dcm("8821-1", "Left Ventricular ED Volume", scheme: "LN"),
        dcm("8823-7", "Left Ventricular ES Volume", scheme: "LN"), stroke,
        isCT
          ? dcm("8810-4", "Left ventricular ejection fraction by CT", scheme: "LN")
          : dcm("8811-2", "Left ventricular ejection fraction by MR", scheme: "LN"),
      ]
    case "53085002":
      return [
        dcm("8822-9", "Right Ventricular ED Volume", scheme: "LN"),
        dcm("8824-5", "Right Ventricular ES Volume", scheme: "LN"), stroke,
        isCT
          ? dcm("8817-9", "Right ventricular ejection fraction by CT", scheme: "LN")
          : dcm("8818-7", "Right ventricular ejection fraction by MR", scheme: "LN"),
      ]
    default:
      return [
        dcm("EDV", "End-diastolic volume", scheme: "99SEGMENTD"),
        dcm("ESV", "End-systolic volume", scheme: "99SEGMENTD"), stroke,
        dcm("70822001", "Cardiac ejection fraction", scheme: "SCT"),
      ]
    }
  }

  // MARK: The whole report

  private var evaluations: [DueItem] {
    let (name, version) = (report.origin.modelName, report.origin.modelVersion)
    var found: Set<UInt8> = []
    for segment in report.segmentations.flatMap(\.segments) {
      found.insert(segment.description.value)
    }
    let missing = report.segments.filter { !found.contains($0.value) }.map(\.name)
    let summary =
      found.isEmpty
      ? dcm("111241", "All algorithms succeeded; without findings")
      : dcm("111242", "All algorithms succeeded; with findings")
    var items = [
      DueItem(
        Self.contains, dcm("111017", "CAD Processing and Findings Summary"), .code(summary)),
      comment("Research use only"),
    ]
    let list = missing.joined(separator: ", ")
    if found.isEmpty {
      items.append(comment("\(name) \(version) found none of: \(list)"))
    } else if !missing.isEmpty {
      items.append(comment("\(name) \(version) did not find: \(list)"))
    }
    return items + report.origin.remarks.map { comment("Warning: \($0)") }
  }

  private func comment(_ text: String) -> DueItem {
    DueItem(Self.contains, dcm("121106", "Comment"), .text(text))
  }

  private func dcm(_ value: String, _ meaning: String, scheme: String = "DCM") -> CodedConcept {
    CodedConcept(value: value, scheme: scheme, meaning: meaning)
  }

  /// What the source's values are: of CT Hounsfield units unless an image says otherwise, of PET becquerels
  /// where it says so.
  private static func quantity(
    _ images: SliceStack, _ source: SourceRecord
  ) -> (concept: CodedConcept, unit: CodedConcept) {
    let code = { CodedConcept(value: $0, scheme: $1, meaning: $2) }
    let arbitrary = code("[arb'U]", "UCUM", "arbitrary unit")
    switch source.header.text(.modality) {
    case "CT":
      let isHounsfield = images.frames.allSatisfy { frame in
        let stated =
          frame.frameNumber == nil
          ? source.text(.rescaleType, of: frame.file) : frame.rescaleType
        return !frame.hasModalityLUT && ["", "HU"].contains(stated ?? "")
      }
      return (
        code("112031", "DCM", "Attenuation Coefficient"),
        isHounsfield ? code("[hnsf'U]", "UCUM", "Hounsfield unit") : arbitrary
      )
    case "PT":
      return (
        code("110821", "DCM", "Nuclear Medicine Tomographic Activity"),
        source.header.text(.units) == "BQML"
          ? code("Bq/ml", "UCUM", "Becquerels/milliliter") : arbitrary
      )
    default: return (code("110852", "DCM", "MR signal intensity"), arbitrary)
    }
  }
}
