import Foundation
import TestSupport
import Testing

@testable import DICOMweb

@Suite struct StoreInstancesResponseTests {
  private func response(stored: Int, failed: [UInt16], unknown: [UInt16] = [])
    -> StoreInstancesResponse
  {
    var response = StoreInstancesResponse()
    response.stored = (0..<stored).map { .init(sopClassUID: "1.2", sopInstanceUID: "1.2.\($0)") }
    response.failed =
      failed.enumerated().map {
        .init(instance: .init(sopClassUID: "1.2", sopInstanceUID: "1.3.\($0)"), reason: $1)
      }
      + unknown.map { .init(instance: .init(sopClassUID: nil, sopInstanceUID: nil), reason: $0) }
    return response
  }

  @Test func theStatusSaysHowManyWereStored() {
    #expect(response(stored: 2, failed: []).status == 200)
    #expect(response(stored: 1, failed: [0xC000]).status == 202)
    #expect(response(stored: 1, failed: [0xA700]).status == 202)
    #expect(response(stored: 0, failed: [0xC000, 0xA700]).status == 409)
    #expect(response(stored: 0, failed: [0xA700, 0xA700]).status == 503)
    #expect(response(stored: 0, failed: []).status == 409)
  }

  @Test func json() throws {
    let text = String(
      decoding: try response(stored: 1, failed: [0xA900], unknown: [0xC000]).json(), as: UTF8.self)
    let stored =
      #"{"00081150":{"Value":["1.2"],"vr":"UI"},"00081155":{"Value":["1.2.0"],"vr":"UI"}}"#
    let failed =
      #"{"00081150":{"Value":["1.2"],"vr":"UI"},"00081155":{"Value":["1.3.0"],"vr":"UI"},"#
      + #""00081197":{"Value":[43264],"vr":"US"}}"#
    let other = #"{"00081197":{"Value":[49152],"vr":"US"}}"#
    #expect(
      text == #"{"00081190":{"vr":"UR"},"00081198":{"Value":["# + failed + #"],"vr":"SQ"},"#
        + #""00081199":{"Value":["# + stored + #"],"vr":"SQ"},"#
        + #""0008119A":{"Value":["# + other + #"],"vr":"SQ"}}"#)
    #expect(
      String(decoding: try response(stored: 0, failed: []).json(), as: UTF8.self)
        == #"{"00081190":{"vr":"UR"}}"#)
  }

  /// pydicom and an XML parser read what is meant.
  @Test func others() async throws {
    var odd = response(stored: 2, failed: [0xC000])
    odd.failed[0].instance.sopInstanceUID = #"<&"'>"#
    let folder = try TemporaryFolder()
    let (json, xml) = (folder.url.path + "/json", folder.url.path + "/xml")
    try odd.json().write(to: URL(fileURLWithPath: json))
    try odd.xml().write(to: URL(fileURLWithPath: xml))
    let script = """
      import sys, pydicom, xml.etree.ElementTree as E
      d = pydicom.Dataset.from_json(open(sys.argv[1]).read())
      print(len(d.ReferencedSOPSequence), d.FailedSOPSequence[0].FailureReason)
      print(d.FailedSOPSequence[0].ReferencedSOPInstanceUID)
      n = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
      r = E.parse(sys.argv[2]).getroot()
      for a in r.findall(n + "DicomAttribute"):
          print(a.get("tag"), a.get("vr"), a.get("keyword"), [i.get("number") for i in a])
      print(r.find(".//*[@tag='00081155']/" + n + "Value").text)
      """
    let read = try await runProcess(testPython, ["-W", "ignore", "-c", script, json, xml])
    #expect(
      read.output == """
        2 49152
        <&"'>
        00081190 UR RetrieveURL []
        00081198 SQ FailedSOPSequence ['1']
        00081199 SQ ReferencedSOPSequence ['1', '2']
        <&"'>

        """)
  }

  @Test func types() throws {
    func type(_ text: String?, encoding: String? = nil) -> StoreRequestType? {
      try? StoreRequestType(contentType: text, contentEncoding: encoding)
    }
    let related = "multipart/related; type=\"application/dicom\"; boundary="
    #expect(type("application/dicom") == .single)
    #expect(type("Application/DICOM; transfer-syntax=1.2") == .single)
    #expect(type(related + "b") == .multipart(boundary: "b"))
    #expect(type("multipart/related;boundary=\"a b\"") == .multipart(boundary: "a b"))
    let longest = String(repeating: "b", count: 128)
    #expect(type(related + longest) == .multipart(boundary: longest))
    for text in [related, related + longest + "b", "multipart/related", related + "\"\u{1}\""] {
      #expect(throws: StoreRequestType.Fault.self) {
        try StoreRequestType(contentType: text, contentEncoding: nil)
      }
      guard case .malformed = fault(text) else {
        Issue.record("\(text)")
        continue
      }
    }
    for text in [
      nil, "", "text/plain", "application/dicom+json",
      "multipart/related; type=\"application/dicom+json\"; boundary=b",
      "multipart/form-data; boundary=b",
    ] {
      guard case .unsupported = fault(text) else {
        Issue.record("\(text ?? "")")
        continue
      }
    }
    guard case .unsupported = fault("application/dicom", encoding: "gzip") else {
      Issue.record("gzip")
      return
    }
  }

  private func fault(_ text: String?, encoding: String? = nil) -> StoreRequestType.Fault? {
    do throws(StoreRequestType.Fault) {
      _ = try StoreRequestType(contentType: text, contentEncoding: encoding)
      return nil
    } catch { return error }
  }

  @Test func parts() throws {
    try StoreRequestType.check(part: [:])
    try StoreRequestType.check(part: ["content-type": "application/dicom; transfer-syntax=*"])
    for odd in [
      ["content-type": "image/jpeg"], ["content-transfer-encoding": "base64"],
    ] {
      #expect(throws: StoreRequestType.Fault.self) { try StoreRequestType.check(part: odd) }
    }
  }

  @Test(
    arguments: [
      (nil, false), ("", false), ("*/*", false), ("application/dicom+json", false),
      ("application/json", false), ("application/dicom+xml", true),
      ("application/dicom+xml, application/dicom+json;q=0.5", false),
      ("application/dicom+xml, application/dicom+json;q=0", true),
      ("application/dicom+xml, */*", false),
      ("text/html", false),
    ] as [(String?, Bool)]) func xmlIsGivenWhereNothingElseIsTaken(accept: String?, isXML: Bool)
  {
    #expect(StoreRequestType.wantsXML(accept: accept) == isXML)
  }
}
