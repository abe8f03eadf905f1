import DICOM
import Foundation
import TestSupport
import Testing

@testable import Results

/// What the series of a result is called.
@Suite struct SeriesNamingTests {
  private func naming(
    _ description: [UInt8], _ terms: String, model: String = "abdomen", version: String = "1",
    kind: String = "", number: String = "3"
  ) -> SeriesNaming {
    var source = Dataset()
    source.set(.specificCharacterSet, .CS, terms)
    source[.seriesDescription] = DataElement(.LO, .text(description))
    source.set(.seriesNumber, .IS, number)
    return SeriesNaming(source: source, modelName: model, modelVersion: version, kind: kind)
  }

  private func bytes(_ naming: SeriesNaming) throws -> [UInt8] {
    guard case .text(let bytes) = naming.description.value else { return [] }
    return bytes
  }

  @Test func theSourceTheModelAndTheLabelAreNamed() throws {
    let cases: [(String, String, String)] = [
      ("Abdomen venous", "ISO_IR 100", "Abdomen venous - abdomen (research use only)"),
      ("Abdomen venous", "ISO_IR 192", "Abdomen venous – abdomen (research use only)"),
      ("", "ISO_IR 100", "abdomen (research use only)"),
      ("  ", "ISO_IR 192", "abdomen (research use only)"),
      ("a\\b\nc", "ISO_IR 100", "a/b c - abdomen (research use only)"),
    ]
    for (source, terms, wanted) in cases {
      #expect(try bytes(naming(Array(source.utf8), terms)) == Array(wanted.utf8))
    }
  }

  /// In every character set, whole and cut: pydicom decodes it, it has 64 characters at most, begins like the
  /// source's and ends with the label.
  @Test func anyScriptIsCutBetweenCharacters() async throws {
    let folder = try TemporaryFolder()
    var number = 0
    for sample in CharacterSetSample.all {
      for repeats in [1, 8] {
        // Names of several groups, with a space between them; each begins in the first character set.
        let text = Array(
          [[UInt8]](repeating: sample.bytes, count: repeats).joined(separator: [0x20]))
        let naming = naming(text, sample.terms, model: "a model with a long name of its own")
        var dataset = Dataset()
        dataset.set(.sopClassUID, .UI, SegmentationStorage.sopClassUID)
        dataset.set(.sopInstanceUID, .UI, "2.25.\(number + 1)")
        dataset.set(.specificCharacterSet, .CS, sample.terms)
        dataset[.seriesDescription] = naming.description
        dataset[.patientName] = DataElement(.LO, .text(text))
        try dataset.write(to: folder.url.appendingPathComponent("\(number).dcm").path)
        number += 1
      }
    }
    let script = """
      import sys, pydicom
      for index in range(int(sys.argv[2])):
          d = pydicom.dcmread(f"{sys.argv[1]}/{index}.dcm")
          source, found = str(d["PatientName"].value), str(d.SeriesDescription)
          end = "a model with a long name of its"[:30] + " (research use only)"
          assert found.endswith(end), (index, found)
          assert len(found) <= 64, (index, len(found), found)
          begin = found[:-len(end)].rstrip()
          assert begin[-1] in "-\\u2013", (index, found)
          begin = begin[:-1].rstrip()
          assert begin and source.replace("\\\\", "/").startswith(begin), (index, source, found)
          assert "\\ufffd" not in found, (index, found)
      """
    let result = try await runProcess(
      testPython, ["-W", "ignore", "-c", script, folder.url.path, "\(number)"])
    #expect(result.status == 0, "\(result.output)")
  }

  /// However long the names are.
  @Test(arguments: ["Abdomen venous", ""]) func theKindIsNeverCut(source: String) throws {
    let kinds = ["", "report", "label map", "probabilities", "structures", "contours"]
    let descriptions = try kinds.map { kind in
      String(
        decoding: try bytes(
          naming(
            Array(source.utf8), "ISO_IR 100", model: String(repeating: "long-name-", count: 7),
            kind: kind)), as: UTF8.self)
    }
    #expect(Set(descriptions).count == kinds.count && descriptions.allSatisfy { $0.count <= 64 })
    for (kind, description) in zip(kinds, descriptions) {
      #expect(description.hasSuffix("\(kind) (research use only)"), "\(description)")
    }
  }

  @Test func theNumberFollowsFromTheSourcesAndTheModel() {
    let own = naming([], "", number: "301").number
    #expect(own / 1000 == 301 && own % 1000 > 0)
    #expect(naming([], "", model: "other", number: "301").number != own)
    #expect(naming([], "", version: "2", number: "301").number != own)
    #expect(naming([], "", kind: "report", number: "301").number != own)
    #expect(naming([], "", number: "302").number == own + 1000)
    for unusable in ["", "0", "-4", "x", "2000001"] {
      #expect((1...999).contains(naming([], "", number: unusable).number))
    }
  }
}
