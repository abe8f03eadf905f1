import DICOM

/// What an image says of itself before it is taken.
public enum ImageIdentity {
  /// - Parameters:
  ///   - path: of the file.
  ///   - name: of the file in messages.
  /// - Throws: ``ImageRefusal`` where the file is no CT or MR image, or its UIDs are blank.
  public static func read(_ path: String, named name: String) throws(ImageRefusal)
    -> InstanceIdentity
  {
    var identity: InstanceIdentity
    do {
      identity = try DICOMFile(path: path).identity()
    } catch .cannotRead(_, let reason, _) {
      throw .notReadable(name: name, reason: reason)
    } catch .toolkitUnavailable(let reason) {
      throw .readerUnavailable(reason: reason)
    } catch {
      // Without the path, which may be one of ours and says nothing to the reader.
      throw .unreadable(name: name, reason: error.reason)
    }
    guard ImageStorage.sopClasses.contains(identity.sopClassUID) else {
      throw .notAnImage(name: name, sopClassUID: identity.sopClassUID)
    }
    // A code string (PS3.5 6.2) and nothing else, for it goes into the log.
    identity.modality = String(
      identity.modality.unicodeScalars.filter {
        ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "_"
      }.prefix(16).map(Character.init))
    return identity
  }
}
