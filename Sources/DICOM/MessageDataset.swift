import Foundation

extension Dataset {
  /// Parses a dataset that a peer sent within a message, as the identifier of a C-FIND response
  /// (PS3.7 9.1.2). Structure and depth are checked before DCMTK sees it.
  ///
  /// - Parameters:
  ///   - bytes: the dataset, without file meta information.
  ///   - transferSyntaxUID: of the presentation context.
  ///   - name: of the dataset in messages.
  /// - Throws: ``DICOMError``
  package init(message bytes: Data, transferSyntaxUID: String, name: String) throws(DICOMError) {
    guard let syntax = TransferSyntax(rawValue: transferSyntaxUID), syntax.coding == .none,
      !syntax.isUnsupportedByDCMTK
    else { throw .unsupportedTransferSyntax(file: name, uid: transferSyntaxUID) }
    let parsed: Result<Dataset, DICOMError> = bytes.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        var scan = StructureScan(bytes: raw, file: name)
        scan.take(syntax)
        _ = try scan.elements(from: 0, to: raw.count, depth: 0, delimited: false)
        return try Dataset(parsing: raw, in: syntax, file: name)
      }
    }
    self = try parsed.get()
  }
}
