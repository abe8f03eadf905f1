import DICOMweb
import Foundation
import FuzzSupport

/// Reads what libFuzzer makes as a body of parts, at once and in pieces of as many bytes as the first one
/// says, which have to mean the same; and as fields of a header.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Data(UnsafeRawBufferPointer(start: start, count: count))
  guard let size = bytes.first else { return 0 }
  let body = Data(bytes.dropFirst())
  let whole = parts(of: body, pieces: max(1, body.count))
  let pieces = parts(of: body, pieces: max(1, Int(size)))
  // How soon a fault is found may depend on the pieces, not whether there is one.
  precondition((whole == nil) == (pieces == nil))
  precondition(whole == pieces)
  let text = String(decoding: body.prefix(4096), as: UTF8.self)
  _ = try? StoreRequestType(contentType: text, contentEncoding: nil)
  _ = StoreRequestType.wantsXML(accept: text)
  return 0
}

private struct Part: Equatable {
  var headers: [String: String]
  var data = Data()
  var isWhole = false
}

/// Nil where the body is no whole body of parts.
private func parts(of body: Data, pieces: Int) -> [Part]? {
  var reader = MultipartReader(boundary: "b")
  var parts: [Part] = []
  for start in stride(from: 0, to: body.count, by: pieces) {
    guard let events = try? reader.take(body.subdata(in: start..<min(start + pieces, body.count)))
    else { return nil }
    for event in events {
      switch event {
      case .part(let headers): parts.append(Part(headers: headers))
      case .data(let data): parts[parts.count - 1].data.append(data)
      case .end: parts[parts.count - 1].isWhole = true
      }
    }
  }
  return reader.isComplete ? parts : nil
}
