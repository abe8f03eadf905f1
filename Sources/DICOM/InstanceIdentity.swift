/// What names an instance and says what it is.
public struct InstanceIdentity: Sendable, Equatable, Codable {
  public var sopClassUID: String
  public var sopInstanceUID: String
  public var seriesInstanceUID: String
  public var studyInstanceUID: String
  public var modality: String
  public var transferSyntaxUID: String
}

extension DICOMFile {
  /// The identity of the instance.
  ///
  /// - Throws: ``DICOMError/missingAttribute(file:tag:)`` or
  ///   ``DICOMError/invalidAttribute(file:tag:value:)`` where a UID is blank or no UID:
  ///   over-anonymised files cannot be told apart and no result could refer to them.
  public func identity() throws(DICOMError) -> InstanceIdentity {
    InstanceIdentity(
      sopClassUID: try uid(.sopClassUID), sopInstanceUID: try uid(.sopInstanceUID),
      seriesInstanceUID: try uid(.seriesInstanceUID), studyInstanceUID: try uid(.studyInstanceUID),
      modality: dataset.text(.modality) ?? "", transferSyntaxUID: transferSyntax.rawValue)
  }

  private func uid(_ tag: Tag) throws(DICOMError) -> String {
    guard let uid = dataset.text(tag), !uid.isEmpty else {
      throw .missingAttribute(file: path, tag: tag)
    }
    guard DICOMUID.isValid(uid) else { throw .invalidAttribute(file: path, tag: tag, value: uid) }
    return uid
  }
}
