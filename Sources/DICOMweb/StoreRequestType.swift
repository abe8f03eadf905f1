/// How the body of a Store transaction is made, and how its answer is (PS3.18 10.5.1).
package enum StoreRequestType: Equatable, Sendable {
  /// One object, without parts.
  case single
  /// A part for each object.
  case multipart(boundary: String)

  /// Why a request cannot be read.
  package enum Fault: Error, Equatable, Sendable {
    case unsupported(reason: String)
    case malformed(reason: String)
  }

  /// - Parameters:
  ///   - contentType: the field of that name.
  ///   - contentEncoding: the field of that name.
  package init(contentType: String?, contentEncoding: String?) throws(Fault) {
    if let contentEncoding, contentEncoding.lowercased() != "identity" {
      throw .unsupported(reason: "a body with a content encoding is not taken")
    }
    let type = MediaType(contentType ?? "")
    switch type.name {
    case "application/dicom": self = .single
    case "multipart/related":
      if let inner = type.parameters["type"], MediaType(inner).name != "application/dicom" {
        throw .unsupported(reason: "only parts of application/dicom are taken")
      }
      // RFC 2046 5.1.1 has 1 to 70 characters; Orthanc sends 73.
      guard let boundary = type.parameters["boundary"], (1...128).contains(boundary.utf8.count),
        boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
      else { throw .malformed(reason: "the boundary is missing, or is not 1 to 128 characters") }
      self = .multipart(boundary: boundary)
    default:
      throw .unsupported(
        reason:
          #"the body has to be application/dicom, or multipart/related; type="application/dicom""#)
    }
  }

  /// Checks the header of a part.
  package static func check(part headers: [String: String]) throws(Fault) {
    if let type = headers["content-type"], MediaType(type).name != "application/dicom" {
      throw .unsupported(reason: "a part is not application/dicom")
    }
    if let encoding = headers["content-transfer-encoding"]?.lowercased(),
      !["binary", "8bit", "7bit"].contains(encoding)
    {
      throw .unsupported(reason: "a part has a transfer encoding")
    }
  }

  /// Whether a field `Accept` takes the XML answer and no other.
  package static func wantsXML(accept: String?) -> Bool {
    let types = (accept ?? "").split(separator: ",").map { MediaType(String($0)) }
      .filter { Double($0.parameters["q"] ?? "1") ?? 1 > 0 }
    guard
      types.contains(where: {
        ["application/dicom+xml", "application/xml", "text/xml"].contains($0.name)
          || $0.name == "multipart/related" && $0.parameters["type"] == "application/dicom+xml"
      })
    else { return false }
    return !types.contains {
      ["*/*", "application/*", "application/json", "application/dicom+json"].contains($0.name)
    }
  }
}
