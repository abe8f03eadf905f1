import Cryptography
import DICOM
import FileSystem
import Foundation

/// The secret by which UIDs and patients get other names in de-identified objects: under one key the same one
/// always gets the same name, and who does not have the key cannot find the old name from the new one.
///
/// ```swift
/// let key = try DeidentificationKey(file: state.url.appendingPathComponent("deidentification.key"))
/// let deidentifier = Deidentifier(key: key)
/// try deidentifier.write("segmentation.dcm", to: "deidentified.dcm")
/// ```
public struct DeidentificationKey: Sendable {
  private static let size = 32
  private let secret: [UInt8]

  /// A key for this process alone.
  public init() { secret = randomBytes(Self.size) }

  /// Reads a key: 64 hexadecimal digits. Where there is no file it is made, mode 0600.
  ///
  /// - Throws: ``DeidentificationError/key(file:reason:)``.
  public init(file: URL) throws(DeidentificationError) {
    do {
      if FileStatus(file.path) == nil { try Self.create(file) }
      let text = try String(contentsOf: file, encoding: .utf8)
      let bytes = Self.bytes(text.trimmingCharacters(in: .whitespacesAndNewlines))
      guard let bytes, bytes.count == Self.size else {
        throw DeidentificationError.key(
          file: file.path, reason: "is not a key: \(2 * Self.size) hexadecimal digits are due")
      }
      secret = bytes
    } catch let error as DeidentificationError {
      throw error
    } catch {
      throw .key(file: file.path, reason: SystemError.text(of: error))
    }
  }

  /// Two that make the same key at once get the one that was there first.
  private static func create(_ file: URL) throws {
    let text = hexadecimal(randomBytes(size)) + "\n"
    let temporary = "\(file.path).\(UUID().uuidString)"
    defer { unlink(temporary) }
    try DurableFile.write(to: temporary) { path in
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      defer { try? file.close() }
      try file.write(contentsOf: Data(text.utf8))
    }
    guard link(temporary, file.path) == 0 || errno == EEXIST else {
      throw DeidentificationError.key(file: file.path, reason: String(cString: strerror(errno)))
    }
    try DurableFile.sync(file.deletingLastPathComponent().path)
  }

  private static func bytes(_ digits: String) -> [UInt8]? {
    let nibbles = digits.utf8.map { UInt8(String(UnicodeScalar($0)), radix: 16) }
    guard nibbles.count % 2 == 0, !nibbles.contains(nil) else { return nil }
    let known = nibbles.compactMap(\.self)
    return stride(from: 0, to: known.count, by: 2).map { known[$0] << 4 | known[$0 + 1] }
  }

  /// The UID that takes another's place.
  public func uid(_ uid: String) -> String { DICOMUID.named("deidentified \(digest("uid", uid))") }

  /// What a patient is called instead.
  ///
  /// - Parameters:
  ///   - patientID: Patient ID (0010,0020).
  ///   - issuer: Issuer of Patient ID (0010,0021); the same number of two issuers is of two patients.
  public func pseudonym(patientID: String, issuer: String) -> String {
    String(digest("patient", "\(patientID)\\\(issuer)").prefix(16)).uppercased()
  }

  private func digest(_ kind: String, _ text: String) -> String {
    hexadecimal(hmacSHA256(Data("\(kind) \(text)".utf8), key: secret))
  }
}

/// Why an object cannot be de-identified.
public enum DeidentificationError: Error, Sendable, Equatable, CustomStringConvertible {
  case key(file: String, reason: String)
  /// It is not known whether an attribute, or the text of a content item, identifies the patient.
  case noRule(file: String, tag: Tag)
  case dicom(DICOMError)
  /// What was written still identifies the patient, or is not the same result.
  case proof(ProofError)

  public var description: String {
    switch self {
    case .key(let file, let reason): "\(file): \(reason)"
    case .noRule(let file, let tag):
      "\(file): it is not known how \(tag) is de-identified; the object is not sent"
    case .dicom(let error): error.description
    case .proof(let error): "de-identification: \(error)"
    }
  }
}
