import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

@testable import Results

/// Texts of any script on their way through a real archive.
@Suite struct ArchivedTextTests {
  /// Sent by C-STORE and downloaded again, every object has the same elements, and its texts the same bytes.
  @Test func textsOfAnyScriptPassAnArchiveByteForByte() async throws {
    let pacs = try await Orthanc(dicomPort: try freePort())
    let folder = try TemporaryFolder()
    var files: [String] = []
    for (index, sample) in CharacterSetSample.all.enumerated() {
      let series = try PhantomSeries { dataset in
        dataset.set(.specificCharacterSet, .CS, sample.terms)
        for (tag, vr) in Self.texts { dataset[tag] = DataElement(vr, .text(sample.bytes)) }
        dataset.set(.patientID, .LO, "CS\(index)")
        dataset.set(.studyInstanceUID, .UI, "2.25.99\(index)1")
      }
      let object = series.segmentation(
        PhantomLabels.volume(on: series.stack.grid),
        identifiers: ResultIdentifiers(
          seriesInstanceUID: "2.25.99\(index)2", sopInstanceUID: "2.25.99\(index)3"))
      let file = folder.url.appendingPathComponent("\(index).dcm").path
      #expect(try object.write(to: file) == .written)
      try object.prove(file)
      files.append(file)
    }
    let scu = StorageSCU(callingAETitle: "SEGMENTD", timeout: 60)
    let outcomes = try await scu.store(
      files, to: Peer(aeTitle: "PACS", host: "127.0.0.1", port: pacs.dicomPort))
    #expect(outcomes == files.map { _ in .stored })
    for (index, sample) in CharacterSetSample.all.enumerated() {
      let back = folder.url.appendingPathComponent("\(index)-back.dcm")
      try await pacs.download("2.25.99\(index)3", to: back)
      let (sent, sentPixels) = try DICOMFile.withNativePixels(path: files[index])
      let (found, pixels) = try DICOMFile.withNativePixels(path: back.path)
      #expect(found == sent && pixels == sentPixels, "\(sample)")
      let tags = Set(Self.texts.map(\.0) + [.seriesDescription, .specificCharacterSet])
      let stored = try DICOMFile.storedValues(of: tags, path: back.path)
      #expect(try stored == DICOMFile.storedValues(of: tags, path: files[index]))
      for (tag, _) in Self.texts where tag != .seriesDescription {
        let bytes = try #require(stored[tag])
        #expect(bytes.starts(with: sample.bytes) && bytes.count <= sample.bytes.count + 1)
      }
    }
    try await pacs.stop()
  }

  private static let texts: [(DICOM.Tag, VR)] = [
    (.patientName, .PN), (.referringPhysicianName, .PN), (.studyDescription, .LO),
    (.institutionName, .LO), (.seriesDescription, .LO),
  ]
}
