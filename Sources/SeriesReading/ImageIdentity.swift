import DICOM
import Foundation

/// What an image says of itself before it is taken.
public struct ImageIdentity: Sendable, Equatable {
  public var instance: InstanceIdentity
  /// Where the dataset begins in the file, behind the file meta information.
  public var datasetOffset: Int
  /// Whether the object says that segmentd made it.
  public var isOurs: Bool

  /// Opens the file once.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - name: of the file in messages.
  ///   - classes: of objects that are taken besides images.
  /// - Throws: ``ImageRefusal`` where the file is no CT, MR or PET image, or its UIDs are blank.
  public static func read(
    _ path: String, named name: String, besides classes: Set<String> = []
  ) throws(ImageRefusal) -> ImageIdentity {
    try read(named: name, besides: classes) { () throws(DICOMError) in try DICOMFile(path: path) }
  }

  /// Reads a file of the state directory and hashes its dataset, as ``datasetHash(of:)`` does; the
  /// file is mapped once, and nothing of it is copied.
  ///
  /// - Parameters:
  ///   - path: of the file, to which nobody writes.
  ///   - name: of the file in messages.
  ///   - classes: of objects that are taken besides images.
  ///   - received: the hash of what was written from an offset on; it counts where that is the dataset.
  ///   - held: the whole file where it is in memory and not written yet.
  /// - Throws: ``ImageRefusal``.
  package static func readWithHash(
    _ path: String, named name: String, besides classes: Set<String> = [],
    received: (offset: Int, hash: String)? = nil, held: Data? = nil
  ) throws(ImageRefusal) -> (identity: ImageIdentity, hash: String, byteCount: Int) {
    var contents = Data()
    let identity = try read(named: name, besides: classes) { () throws(DICOMError) in
      if let held {
        contents = held
      } else {
        contents = try DICOMFile.contents(of: path, mapped: true)
      }
      return try DICOMFile(path: path, contents: contents)
    }
    // Further elements of the file meta information may have come as the beginning of the dataset.
    if let received, received.offset == identity.datasetOffset {
      return (identity, received.hash, contents.count)
    }
    let hash = hexadecimalSHA256(of: contents.dropFirst(identity.datasetOffset))
    return (identity, hash, contents.count)
  }

  private static func read(
    named name: String, besides classes: Set<String>, _ open: () throws(DICOMError) -> DICOMFile
  ) throws(ImageRefusal) -> ImageIdentity {
    var identity: InstanceIdentity
    let (datasetOffset, isOurs): (Int, Bool)
    do {
      let file = try open()
      isOurs = [.manufacturer, .manufacturerModelName].allSatisfy {
        file.dataset.text($0) == "segmentd"
      }
      identity = try file.identity()
      datasetOffset = file.datasetOffset
    } catch .cannotRead(_, let reason, _) {
      throw .notReadable(name: name, reason: reason)
    } catch .toolkitUnavailable(let reason) {
      throw .readerUnavailable(reason: reason)
    } catch {
      // Without the path, which may be one of ours and says nothing to the reader.
      throw .unreadable(name: name, reason: error.reason)
    }
    guard
      ImageStorage.sopClasses.contains(identity.sopClassUID)
        || classes.contains(identity.sopClassUID)
    else {
      throw .notAnImage(name: name, sopClassUID: identity.sopClassUID)
    }
    // A code string (PS3.5 6.2) and nothing else, for it goes into the log.
    identity.modality = String(
      identity.modality.unicodeScalars.filter {
        ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "_"
      }.prefix(16).map(Character.init))
    return ImageIdentity(instance: identity, datasetOffset: datasetOffset, isOurs: isOurs)
  }
}
