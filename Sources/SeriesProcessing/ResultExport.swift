import DICOM
import Foundation
import NIfTI
import Results
import Segmentation
import SeriesReading
import Terminology
import Volumes

/// Writes and proves the objects and pictures of one series in its folder.
struct ResultExport {
  let bundle: ModelBundle
  let identity: ResultIdentity
  /// Written as the date and time of every object.
  let moment: StatedMoment
  /// Written as Device Serial Number (0018,1000).
  let installation: String
  let options: ResultOptions
  let output: URL
  /// Whether the labels are written as NIfTI next to the object.
  let writesNIfTI: Bool
  let times: StageTimes

  /// The outcome for one label volume.
  enum Written {
    /// One object, or several where a result is divided, and what was measured in them for a report.
    case proved([ProvedSegmentation], [MeasuredSegmentation], [ProvedCapture])
    /// With the objects that show it, where the options ask for them.
    case nothingFound(picture: URL, objects: [ProvedSegmentation], captures: [ProvedCapture])
  }

  /// - Parameters:
  ///   - segmented: its labels are on the stack's images; its warnings are written in the object
  ///     too.
  ///   - stack: the source images.
  ///   - phase: of a cine series; the object and its picture are named after it.
  ///   - index: of the object in its series, from 0.
  ///   - volume: of the volume in the result, from 0.
  /// - Throws: `HeldSeries` where the images have an identity that a result cannot carry.
  func write(
    _ segmented: SegmentedStack, stack: SliceStack, phase: SegmentedPhase? = nil, index: Int = 0,
    volume: Int = 0
  ) throws -> Written {
    let labels = segmented.labels
    let segments = bundle.writesGroupings ? bundle.groupings : bundle.labels
    let suffix = phase.map { String(format: "-phase-%02d", $0.number) } ?? ""
    let picture = output.appendingPathComponent("contours\(suffix).png")
    try times.measure(.picture) {
      try draw { () throws(SegmentationError) in
        try ContourMontage.write(
          labels, of: stack, segments: bundle.labels, remarks: segmented.warnings,
          to: picture.path)
      }
    }
    var objects: [ProvedSegmentation] = []
    var measured: [MeasuredSegmentation] = []
    let parts = SegmentationObject.parts(of: labels, segments: segments, options: options)
    for (part, held) in parts.enumerated() {
      let number = part == 0 ? "" : "-\(part + 1)"
      let file = output.appendingPathComponent("segmentation\(suffix)\(number).dcm")
      let object = SegmentationObject(
        labels, stack: stack, segments: segments, holding: held,
        origin: origin(segmented.warnings, phase: phase, instanceNumber: index + part + 1),
        identifiers: identity.identifiers(
          object: index + part, holding: labels, remarks: segmented.warnings),
        options: options)
      guard let sha256 = try write(object, to: file) else { continue }
      if options.writesReport { measured.append(try measure(object, file, phase)) }
      objects.append(
        ProvedSegmentation(
          segmentation: file, sopInstanceUID: object.identifiers.sopInstanceUID, sha256: sha256,
          picture: picture, millilitres: Self.millilitres(labels, held, depths: stack.sliceDepths),
          phase: phase, warnings: segmented.warnings, notes: segmented.notes))
    }
    if parts.count > 1 {
      try proveTogether(objects, labels, stack: stack, segments: segments, index: index)
    }
    let captures = try CaptureExport(export: self).write(
      labels, stack: stack, origin: origin(segmented.warnings, phase: phase, instanceNumber: 1),
      index: volume, suffix: suffix)
    guard objects.contains(where: { !$0.millilitres.isEmpty }) else {
      return .nothingFound(picture: picture, objects: objects, captures: captures)
    }
    (objects[0].companions, objects[0].notes) = try writeCompanions(
      segmented, stack: stack, segments: segments, phase: phase, index: index,
      suffix: suffix)
    if writesNIfTI {
      try refuseUnevenNIfTI(stack, objects[0].segmentation.path)
      if stack.sourceGrid.isSheared { objects[0].warnings.append(Self.shearedLabels) }
      let url = output.appendingPathComponent("labels\(suffix).nii.gz")
      try times.measure(.writing) { try NIfTIFile.write(labels, to: url.path) }
      objects[0].labels = url
    }
    return .proved(objects, measured, captures)
  }

  /// Proves what only shows across the objects of a result that is divided.
  ///
  /// - Throws: `ProofError`.
  private func proveTogether(
    _ objects: [ProvedSegmentation], _ labels: LabelVolume, stack: SliceStack,
    segments: [SegmentDescription], index: Int
  ) throws {
    let whole = SegmentationObject(
      labels, stack: stack, segments: segments,
      origin: origin([], phase: nil, instanceNumber: index + 1),
      identifiers: identity.identifiers(object: index, holding: labels, remarks: []),
      options: options)
    try times.measure(.proof) {
      try DividedResultProof(of: whole).prove(objects.map(\.segmentation.path))
    }
  }

  /// Writes and proves the labels in the other forms that the options ask for.
  ///
  /// - Returns: the objects, and the notes on the labels with those on a form that cannot express them.
  private func writeCompanions(
    _ segmented: SegmentedStack, stack: SliceStack, segments: [SegmentDescription],
    phase: SegmentedPhase?, index: Int, suffix: String
  ) throws -> ([ProvedCompanion], notes: [String]) {
    let labels = segmented.labels
    var (companions, notes): ([ProvedCompanion], [String]) = ([], segmented.notes)
    let origin = origin(segmented.warnings, phase: phase, instanceNumber: index + 1)
    let identifiers = { (kind: String) in
      identity.identifiers(
        object: index, holding: labels, remarks: segmented.warnings, kind: kind)
    }
    func add(_ kind: ProvedCompanion.Kind, _ object: some ResultObject, _ name: String) throws {
      let file = output.appendingPathComponent("\(name)\(suffix).dcm")
      do {
        guard let sha256 = try write(object, to: file) else { return }
        companions.append(
          ProvedCompanion(
            kind: kind, file: file, sopInstanceUID: object.identifiers.sopInstanceUID,
            sha256: sha256))
      } catch SegmentationError.inexpressible(let reason) {
        notes.append("\(name).dcm was not written: \(reason)")
      }
    }
    if options.writesLabelMap {
      if bundle.writesGroupings, bundle.groupings.canOverlap {
        notes.append("the label map has the model's labels, not its groupings, which overlap")
      }
      try add(
        .labelMap,
        SegmentationObject(
          labels, stack: stack, segments: segments.canOverlap ? bundle.labels : segments,
          origin: origin, identifiers: identifiers("label map"), options: options,
          form: .labelMap), "labelmap")
    }
    if options.writesFractional {
      if let probabilities = segmented.probabilities {
        try add(
          .fractional,
          SegmentationObject(
            labels, probabilities: probabilities, stack: stack, segments: segments, origin: origin,
            identifiers: identity.identifiers(
              object: index, holding: labels, probabilities: probabilities,
              remarks: segmented.warnings, kind: "probabilities"),
            options: options, form: .fractional), "fractional")
      } else {
        notes.append("fractional.dcm was not written: of phases of the heart only labels are kept")
      }
    }
    if options.writesStructureSet {
      try add(
        .structureSet,
        StructureSet(
          labels, stack: stack, segments: segments, origin: origin,
          identifiers: identifiers("structures")), "structures")
    }
    return (companions, notes)
  }

  private func measure(
    _ object: SegmentationObject, _ file: URL, _ phase: SegmentedPhase?
  ) throws -> MeasuredSegmentation {
    do {
      var measured = try times.measure(.measuring) { try object.measured(at: file.path) }
      measured.cyclePoint = phase?.cyclePoint
      return measured
    } catch SegmentationError.dicom(let error) {
      throw error
    }
  }

  /// Writes and proves the report that nothing was found in images, where the options ask for one.
  ///
  /// - Throws: as for the objects.
  func writeReportOfNothing(
    in stacks: [SliceStack], warnings: [String]
  ) throws -> ProvedReport? {
    guard options.nothingFound == .report else { return nil }
    return try writeReport([], of: stacks, heart: nil, warnings)
  }

  /// Writes and proves the measurement report on what was found, where the options ask for one.
  ///
  /// - Parameters:
  ///   - measured: in the objects, which are proved.
  ///   - stacks: the images that were segmented.
  ///   - heart: labels whose function it reports, where end-diastole and end-systole were segmented.
  ///   - warnings: are written in it too.
  /// - Returns: nil where none is asked for.
  /// - Throws: as for the objects.
  func writeReport(
    _ measured: [MeasuredSegmentation], of stacks: [SliceStack], heart: CineRule? = nil,
    warnings: [String]
  ) throws -> ProvedReport? {
    guard options.writesReport, !measured.isEmpty else { return nil }
    return try writeReport(measured, of: stacks, heart: heart, warnings)
  }

  private func writeReport(
    _ measured: [MeasuredSegmentation], of stacks: [SliceStack], heart: CineRule?,
    _ warnings: [String]
  ) throws -> ProvedReport? {
    let report = MeasurementReport(
      measured, of: stacks, segments: bundle.writesGroupings ? bundle.groupings : bundle.labels,
      heart: heart.flatMap { structures($0, in: measured) },
      origin: origin(warnings, phase: nil, instanceNumber: 1), identity: identity)
    let file = output.appendingPathComponent("report.dcm")
    guard let sha256 = try write(report, to: file) else { return nil }
    return ProvedReport(
      file: file, sopInstanceUID: report.identifiers.sopInstanceUID, sha256: sha256)
  }

  /// The parts of the heart that are segments by themselves, so that their volumes follow from the objects.
  private func structures(
    _ rule: CineRule, in measured: [MeasuredSegmentation]
  ) -> HeartStructures? {
    let written = measured.flatMap(\.segments).map(\.description)
    let structure = { (label: UInt8) in written.first { $0.labels == [label] } }
    let cavities = rule.cavities.compactMap(structure)
    guard !cavities.isEmpty else { return nil }
    return HeartStructures(
      cavities: cavities, myocardium: rule.myocardium.flatMap(structure),
      density: MyocardialMass.density)
  }

  private func origin(
    _ warnings: [String], phase: SegmentedPhase?, instanceNumber: Int
  ) -> ResultOrigin {
    var origin = ResultOrigin(
      modelName: bundle.name, modelVersion: bundle.version, modelSHA256: bundle.sha256,
      modelFile: bundle.directory.appendingPathComponent("model.yaml").path,
      softwareVersion: SegmentdVersion.results, deviceSerialNumber: installation,
      moment: moment,
      replaces: options.namesReplaced ? identity.replaces : nil, remarks: warnings)
    origin.instanceNumber = instanceNumber
    origin.subject = phase?.text ?? ""
    return origin
  }

  /// - Returns: SHA-256 of the proved file; nil where nothing was found.
  /// - Throws: `HeldSeries` where the source images are at fault, which another attempt will not
  ///   change; otherwise as `ResultObject.writeProved(to:times:)`.
  func write(_ object: some ResultObject, to file: URL) throws -> String? {
    do {
      return try object.writeProved(to: file, times: times)
    } catch let error as any ResultError where error.isSourceFault {
      throw HeldSeries(reasons: [error.description])
    }
  }

  private static let shearedLabels =
    "labels.nii.gz has the tilted slices of the scan: its sform is sheared and it has no qform, "
    + "which programs that take only perpendicular axes refuse"

  /// A NIfTI file has one distance between slices.
  private func refuseUnevenNIfTI(_ stack: SliceStack, _ path: String) throws {
    guard stack.sliceIndices != nil else { return }
    throw NIfTIError.cannotWrite(
      path: output.appendingPathComponent("labels.nii.gz").path,
      reason:
        "the slices are at uneven steps, which NIfTI cannot express; the DICOM object \(path) can"
    )
  }

  /// Draws the phases of one cine series below each other, the same slices of each.
  ///
  /// - Parameters:
  ///   - phases: each with its images.
  ///   - names: of the phases.
  ///   - remarks: what is unusual about them.
  func writeCyclePicture(
    _ phases: [(labels: LabelVolume, stack: SliceStack)], names: [String], remarks: [String]
  ) throws -> URL? {
    guard !phases.isEmpty else { return nil }
    let picture = output.appendingPathComponent("contours.png")
    try times.measure(.picture) {
      try draw { () throws(SegmentationError) in
        try ContourMontage.write(
          phases: phases, names: names, segments: bundle.labels, remarks: remarks,
          to: picture.path)
      }
    }
    return picture
  }

  /// Draws a picture; where an image cannot be read that is the error, as in all other stages.
  private func draw(_ body: () throws(SegmentationError) -> Void) throws {
    do { try body() } catch SegmentationError.dicom(let error) { throw error }
  }

  /// The volume of each segment that was found, by name.
  ///
  /// - Parameters:
  ///   - labels: on the stack's images.
  ///   - segments: what the labels mean.
  ///   - depths: of each slice in mm, where they differ.
  static func millilitres(
    _ labels: LabelVolume, _ segments: [SegmentDescription], depths: [Double]? = nil
  ) -> [String: Double] {
    let volumes = labels.millilitres(depths: depths)
    return Dictionary(
      segments.map { segment in
        (segment.name, segment.labels.reduce(0) { $0 + volumes[Int($1)] })
      }.filter { $0.1 > 0 },
      uniquingKeysWith: +)
  }
}

extension VolumeGrid {
  /// Whether the slice step leaves the normal, as on a tilted gantry.
  fileprivate var isSheared: Bool {
    let step = affine.slice
    return (step * step).sum().squareRoot() > 1.000_001 * affine.stepAlongNormal
  }
}
