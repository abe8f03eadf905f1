import DICOM
import FileSystem
import Foundation
import Terminology

/// Makes of an object of ours one that does not identify the patient, by the Basic Application Level
/// Confidentiality Profile (PS3.15 E.2) with the options to clean descriptors and structured content.
///
/// Images, positions, segments and measurements stay as they are. All UIDs of instances are replaced: those
/// of one study, its results and later ones fit each other as long as the key is the same.
public struct Deidentifier: Sendable {
  public let key: DeidentificationKey

  public init(key: DeidentificationKey) { self.key = key }

  /// Writes the de-identified object, mode 0600, and proves it.
  ///
  /// - Parameters:
  ///   - path: of an object of ours that was proved.
  ///   - written: path of the new file; an older one there is replaced.
  /// - Throws: ``DeidentificationError``; there is no new file then.
  public func write(_ path: String, to written: String) throws(DeidentificationError) {
    do {
      let (dataset, pixels) = try Self.read(path)
      try deidentified(dataset, file: path).write(
        to: written, pixelData: try pixels.map(StreamedPixelData.init(copying:)))
      try DeidentificationProof(of: path, key: key).prove(written)
    } catch {
      unlink(written)
      switch error {
      case let error as DICOMError: throw .dicom(error)
      case let error as ProofError: throw .proof(error)
      case let error as DeidentificationError: throw error
      default: throw .dicom(.cannotWrite(file: written, reason: "\(error)"))
      }
    }
  }

  private static func read(_ path: String) throws(DICOMError) -> (Dataset, NativePixels?) {
    let file = try DICOMFile.mapped(path: path, storedValuesOf: []).file
    return (file.dataset, file.dataset.contains(.bitsAllocated) ? try file.pixelsOnDisk() : nil)
  }

  // MARK: The dataset

  /// - Parameters:
  ///   - dataset: of an object of ours, without its pixel data.
  ///   - file: named in errors.
  /// - Throws: ``DeidentificationError/noRule(file:tag:)``.
  func deidentified(_ dataset: Dataset, file: String) throws(DeidentificationError) -> Dataset {
    var new = try treated(dataset, of: dataset, file: file)
    let model = Self.model(of: dataset)
    if dataset.contains(.seriesDescription) {
      new[.seriesDescription] =
        SeriesNaming(
          source: Dataset(), modelName: model?.text(.manufacturerModelName) ?? "segmentd",
          modelVersion: "", kind: Self.kind(of: dataset)
        ).description
    }
    new.set(.patientIdentityRemoved, .CS, "YES")
    new.set(.longitudinalTemporalInformationModified, .CS, "REMOVED")
    new.set(
      .deidentificationMethodCodeSequence,
      Self.methods.map { $0.item { PlainText.ascii($0, to: $1) } })
    new.set(
      .contributingEquipmentSequence,
      [model?.modelItem, Self.deidentifyingEquipment].compactMap(\.self))
    return new
  }

  private func treated(
    _ dataset: Dataset, of object: Dataset, file: String
  ) throws(DeidentificationError) -> Dataset {
    var new = Dataset()
    for (tag, element) in dataset.elements {
      guard let action = DeidentificationRules.action(tag) else {
        throw .noRule(file: file, tag: tag)
      }
      switch action {
      case .remove: continue
      case .empty: new[tag] = DataElement(element.vr, element.vr == .SQ ? .items([]) : .text([]))
      case .replace(let text): new.set(tag, element.vr, text)
      case .clean:
        new.set(tag, element.vr, DeidentificationRules.cleaned(dataset.text(tag) ?? ""))
      case .uid:
        // Those of the standard, as of a common frame of reference, tell nothing.
        new.set(
          tag, .UI,
          dataset.texts(tag).map { $0.hasPrefix("1.2.840.10008.") ? $0 : key.uid($0) })
      case .pseudonym: new.set(tag, element.vr, pseudonym(object))
      case .keep:
        guard case .items(let items) = element.value else {
          new[tag] = element
          continue
        }
        var kept: [Dataset] = []
        for item in items { kept.append(try treated(item, of: object, file: file)) }
        new.set(tag, kept)
      }
    }
    if dataset.contains(.textValue) {
      guard let text = DeidentificationRules.text(of: dataset) else {
        throw .noRule(file: file, tag: .textValue)
      }
      if text != dataset.text(.textValue) { new.set(.textValue, .UT, text) }
    }
    return new
  }

  /// Nothing where the patient has no ID: two such are not known to be one.
  private func pseudonym(_ object: Dataset) -> String {
    guard let id = object.text(.patientID), !id.isEmpty else { return "" }
    return key.pseudonym(patientID: id, issuer: object.text(.issuerOfPatientID) ?? "")
  }

  /// What a series is called behind the model: nothing is taken from its description, a part of which is the
  /// source's.
  private static func kind(of dataset: Dataset) -> String {
    switch (dataset.text(.modality), dataset.text(.segmentationType)) {
    case ("SR", _): "report"
    case ("RTSTRUCT", _): "structures"
    case (_, SegmentationForm.labelMap.segmentationType): SegmentationForm.labelMap.seriesKind
    case (_, SegmentationForm.fractional.segmentationType): SegmentationForm.fractional.seriesKind
    default: ""
    }
  }

  // MARK: Equipment and methods

  private static let methods = [
    CodedConcept(
      value: "113100", scheme: "DCM", meaning: "Basic Application Confidentiality Profile"),
    CodedConcept(value: "113105", scheme: "DCM", meaning: "Clean Descriptors Option"),
    CodedConcept(value: "113104", scheme: "DCM", meaning: "Clean Structured Content Option"),
  ]

  private static func model(of dataset: Dataset) -> Dataset? {
    dataset.items(.contributingEquipmentSequence).last {
      $0.text(.manufacturer) == "segmentd"
        && $0.items(.purposeOfReferenceCodeSequence).first?.text(.codeValue) == "109102"
    }
  }

  private static let deidentifyingEquipment: Dataset = {
    var equipment = Dataset()
    let purpose = CodedConcept(value: "109104", scheme: "DCM", meaning: "De-identifying Equipment")
    equipment.set(.purposeOfReferenceCodeSequence, [purpose.item { PlainText.ascii($0, to: $1) }])
    equipment.set(.manufacturer, .LO, "segmentd")
    return equipment
  }()
}

extension Dataset {
  /// The item of Contributing Equipment Sequence that names the model, with what is ours in it.
  fileprivate var modelItem: Dataset {
    var item = Dataset()
    for tag in [
      Tag.purposeOfReferenceCodeSequence, .manufacturer, .manufacturerModelName, .softwareVersions,
      .contributionDescription,
    ] { item[tag] = self[tag] }
    return item
  }
}
