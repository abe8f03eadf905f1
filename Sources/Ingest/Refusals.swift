import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import SeriesReading

extension RefusedInstance {
  /// An object that the listener refused by itself, or that was not received completely.
  init(_ object: RefusedObject) {
    self.init(
      PartialIdentity(
        ofDamaged: object.beginning, transferSyntaxUID: object.transferSyntaxUID),
      reason: object.reason, source: .listener)
    take(sopClassUID: object.sopClassUID, sopInstanceUID: object.sopInstanceUID)
    status = object.status
  }

  /// An object that arrived completely and was refused for its contents, or for lack of space.
  init(_ object: ReceivedObject, _ partial: PartialIdentity, _ error: IntakeError) {
    self.init(partial, reason: error.reason, source: .listener)
    take(sopClassUID: object.sopClassUID, sopInstanceUID: object.sopInstanceUID)
    transferSyntaxUID = object.transferSyntaxUID
    status = error.status.rawValue
  }

  /// A file of a watch folder; nil where it is not an image, so that no series lacks it.
  init?(watched file: URL, _ partial: PartialIdentity, _ error: IntakeError) {
    switch error {
    case .refused(.notAnImage): return nil
    case .refused(.unreadable):
      guard !partial.isEmpty,
        partial.sopClassUID.map(ImageStorage.sopClasses.contains) ?? true
      else { return nil }
    case .refused(.notReadable):
      // It may have been removed in the meantime.
      guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    default: break
    }
    self.init(partial, reason: error.reason, source: .watch)
    self.file = file.path
  }

  private init(_ partial: PartialIdentity, reason: String, source: InstanceSource) {
    self.init(reason: reason, source: source)
    sopInstanceUID = partial.sopInstanceUID
    sopClassUID = partial.sopClassUID
    seriesInstanceUID = partial.seriesInstanceUID
    studyInstanceUID = partial.studyInstanceUID
    modality = partial.modality
    transferSyntaxUID = partial.transferSyntaxUID
  }

  /// The command set says which instance it is, whatever the dataset says.
  private mutating func take(sopClassUID: String, sopInstanceUID: String) {
    if DICOMUID.isValid(sopClassUID) { self.sopClassUID = sopClassUID }
    if DICOMUID.isValid(sopInstanceUID) { self.sopInstanceUID = sopInstanceUID }
  }
}
