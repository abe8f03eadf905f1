import CCodecs
import CDCMTK

// The constants of a C enumeration arrive with another type than the results.
extension CDCMTKCode {
  var code: Int32 { Int32(rawValue) }
}

extension CCodecsCode {
  var code: Int32 { Int32(rawValue) }
}

extension cdcmtk_error {
  /// The message as text.
  package var text: String { textOfCharacters(message) }
}

extension ccodecs_error {
  /// The message as text.
  var text: String { textOfCharacters(message) }
}

/// A C array of characters up to its final zero as text.
func textOfCharacters(_ characters: some Any) -> String {
  withUnsafeBytes(of: characters) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
