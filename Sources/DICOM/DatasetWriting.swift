import CDCMTK
import FileSystem
import Foundation

extension Dataset {
  /// Writes the dataset as a Part 10 file in Explicit VR Little Endian.
  ///
  /// It is written under a temporary name in the same folder, synced and renamed, so `path` never
  /// holds half a file; mode 0600. SOP class and instance UID must be set.
  ///
  /// - Throws: ``DICOMError/cannotWrite(file:reason:system:)``, ``DICOMError/notStorable(tag:reason:)``.
  public func write(to path: String) throws(DICOMError) {
    try DCMTK.prepare()
    guard let builder = cdcmtk_builder_create() else {
      throw .cannotWrite(file: path, reason: "out of memory")
    }
    defer { cdcmtk_builder_free(builder) }
    try put(into: cdcmtk_builder_dataset(builder))
    do throws(DurableFileError) {
      try DurableFile.write(to: path) { temporaryPath in
        var error = cdcmtk_error()
        let code = cdcmtk_builder_save(builder, temporaryPath, &error)
        return code == CDCMTK_OK.code ? nil : error.text
      }
    } catch {
      throw DICOMError(error)
    }
  }

  private func put(into item: OpaquePointer?) throws(DICOMError) {
    for (tag, element) in elements.sorted(by: { $0.key < $1.key }) {
      if case .items(let items) = element.value {
        try put(items, tag: tag, into: item)
      } else {
        try put(element, tag: tag, into: item)
      }
    }
  }

  private func put(_ items: [Dataset], tag: Tag, into item: OpaquePointer?) throws(DICOMError) {
    var error = cdcmtk_error()
    var code = cdcmtk_put_sequence(item, tag.rawValue, &error)
    guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
    for dataset in items {
      var appended: OpaquePointer?
      code = cdcmtk_append_item(item, tag.rawValue, &appended, &error)
      guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
      try dataset.put(into: appended)
    }
  }

  private func put(_ element: DataElement, tag: Tag, into item: OpaquePointer?) throws(DICOMError) {
    var error = cdcmtk_error()
    let vr = element.vr.rawValue
    let code =
      switch element.value {
      case .text(let bytes):
        bytes.withUnsafeBytes {
          cdcmtk_put_text(
            item, tag.rawValue, vr, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count,
            &error)
        }
      case .integers(let values):
        cdcmtk_put_integers(
          item, tag.rawValue, vr, values.map(Int64.init), values.count, &error)
      case .reals(let values):
        cdcmtk_put_reals(item, tag.rawValue, vr, values, values.count, &error)
      case .bytes(let bytes):
        cdcmtk_put_bytes(item, tag.rawValue, vr, bytes, bytes.count, &error)
      case .items:
        CDCMTK_OK.code  // put as a sequence before
      }
    guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
  }
}
