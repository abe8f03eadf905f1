import DICOM
import DICOMNetwork

/// What an image says of itself before it is taken.
enum ImageIdentity {
  /// - Throws: ``IntakeError`` where the file is no CT or MR image, or its UIDs are blank.
  static func read(_ path: String, named name: String) throws(IntakeError) -> InstanceIdentity {
    let identity: InstanceIdentity
    do {
      identity = try DICOMFile(path: path).identity()
    } catch {
      // The path within the message may be one of ours, which says nothing to the reader.
      throw .unreadable(
        name: name, reason: error.description.replacingOccurrences(of: "\(path): ", with: ""))
    }
    guard AcceptedObjects.sopClasses.contains(identity.sopClassUID) else {
      throw .notAnImage(name: name, sopClassUID: identity.sopClassUID)
    }
    return identity
  }
}
