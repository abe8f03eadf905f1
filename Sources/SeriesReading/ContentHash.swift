import Cryptography
import DICOM
import FileSystem
import Foundation

/// SHA-256 as 64 hexadecimal digits.
package func hexadecimalSHA256(of bytes: Data) -> String {
  hexadecimal(SHA256.hash(data: bytes))
}

/// SHA-256 of a file as 64 hexadecimal digits.
package func hexadecimalSHA256(ofFile file: URL) throws(UnreadableFile) -> String {
  hexadecimal(try SHA256.hash(ofFile: file))
}

/// SHA-256 of the dataset of a file, without the file meta information, which tells only who sent it,
/// and how long the file is.
///
/// The file is opened once, and nothing of the dataset is parsed.
///
/// - Parameter file: an instance in a file.
/// - Throws: `DICOMError`, or an error of Foundation.
package func datasetHash(of file: URL) throws -> (hash: String, byteCount: Int) {
  let bytes = try Data(contentsOf: file, options: .alwaysMapped)
  let start = try DICOMFile.datasetOffset(in: bytes, file: file.path)
  return (hexadecimalSHA256(of: bytes.dropFirst(start)), bytes.count)
}
