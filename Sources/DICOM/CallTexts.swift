import CDCMTK
import Terminology

/// Texts and codes for C, which live as long as a call.
final class CallTexts {
  private var texts: [UnsafeMutablePointer<CChar>] = []
  private var codes: [UnsafeMutablePointer<cdcmtk_code>] = []

  deinit {
    for text in texts { text.deallocate() }
    for code in codes { code.deallocate() }
  }

  func callAsFunction(_ text: String) -> UnsafePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { copy[index] = byte }
    texts.append(copy)
    return UnsafePointer(copy)
  }

  func callAsFunction(_ code: CodedConcept) -> cdcmtk_code {
    cdcmtk_code(value: self(code.value), scheme: self(code.scheme), meaning: self(code.meaning))
  }

  func pointer(_ code: CodedConcept?) -> UnsafePointer<cdcmtk_code>? {
    guard let code else { return nil }
    let copy = UnsafeMutablePointer<cdcmtk_code>.allocate(capacity: 1)
    copy.initialize(to: self(code))
    codes.append(copy)
    return UnsafePointer(copy)
  }
}

/// Calls DCMTK with texts that live as long as the call.
///
/// - Parameters:
///   - tag: named where it fails.
///   - body: the call.
/// - Throws: ``DICOMError/notStorable(tag:reason:)``.
func callDCMTK(
  _ tag: Tag, _ body: (CallTexts, UnsafeMutablePointer<cdcmtk_error>) -> Int32
) throws(DICOMError) {
  var error = cdcmtk_error()
  let texts = CallTexts()
  let code = withExtendedLifetime(texts) { body(texts, &error) }
  guard code == CDCMTK_OK.code else {
    throw .notStorable(tag: tag, reason: "DCMTK: \(error.text)")
  }
}

/// The dataset that DCMTK shows to a visitor.
///
/// - Parameters:
///   - tag: named where it fails.
///   - visit: shows the dataset to the visitor.
/// - Throws: ``DICOMError/notStorable(tag:reason:)``.
func datasetOfDCMTK(
  _ tag: Tag,
  _ visit: (UnsafePointer<cdcmtk_visitor>, UnsafeMutablePointer<cdcmtk_error>) -> Int32
) throws(DICOMError) -> Dataset {
  let collector = DatasetCollector()
  try callDCMTK(tag) { _, error in
    withExtendedLifetime(collector) {
      var visitor = collector.visitor()
      return visit(&visitor, error)
    }
  }
  guard let dataset = collector.dataset else {
    throw .notStorable(tag: tag, reason: "DCMTK left it unfinished")
  }
  return dataset
}
