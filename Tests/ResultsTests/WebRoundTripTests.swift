import DICOM
import DICOMweb
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Results that are stored by STOW-RS in a real archive, and retrieved again by WADO-RS.
@Suite(.limitedConcurrency) struct WebRoundTripTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private let folder: URL

  init() throws {
    series = try PhantomSeries(.init(rows: 23, columns: 38))
    labels = PhantomLabels.volume(on: series.stack.grid)
    folder = series.folder.url.appendingPathComponent("results")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Proved objects of every kind by name.
  private func objects() throws -> [(name: String, uids: ResultIdentifiers, url: URL)] {
    let uids = { (number: Int) in
      ResultIdentifiers(
        seriesInstanceUID: "2.25.820\(number)", sopInstanceUID: "2.25.830\(number)")
    }
    let page = try CapturePhantom(series, labels: { _ in labels }).captures.page(millilitres: [:])
    let objects: [(String, any ResultObject)] = [
      ("segmentation", series.segmentation(labels, identifiers: uids(1))),
      ("labelmap", series.segmentation(labels, identifiers: uids(2), form: .labelMap)),
      (
        "fractional",
        series.segmentation(
          labels, probabilities: PhantomLabels.probabilities(of: labels), identifiers: uids(3),
          form: .fractional)
      ), ("structures", series.structures(labels)), ("page", page),
    ]
    return try objects.map { name, object in
      let url = folder.appendingPathComponent("\(name).dcm")
      #expect(try object.write(to: url.path) == .written)
      try object.prove(url.path)
      return (name, object.identifiers, url)
    }
  }

  /// They come back with the same bytes, and another program reads the segmentation that it retrieved itself.
  @Test func everyObjectComesBackAsItWasStored() async throws {
    let pacs = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    let service = "http://127.0.0.1:\(pacs.webPort)/dicom-web"
    let client = DICOMwebClient(url: try #require(URL(string: service)))
    let objects = try objects()
    for object in objects {
      let answer = try await client.store(object.url)
      #expect(
        answer.response?.stored.map(\.sopInstanceUID) == [object.uids.sopInstanceUID],
        "\(object.name): \(answer)\n\(pacs.log)")
    }
    for object in objects {
      let back = folder.appendingPathComponent("\(object.name)-back.dcm")
      try await client.retrieve(
        instance: object.uids.sopInstanceUID, ofSeries: object.uids.seriesInstanceUID,
        study: "2.25.7001", to: back)
      #expect(try Data(contentsOf: back) == Data(contentsOf: object.url), "\(object.name)")
    }
    let segmentation = try #require(objects.first)
    let expected = try ReaderExpectation(
      of: series.segmentation(labels, identifiers: segmentation.uids)
    ).write(to: folder)
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/readers/read_by_web.py")
    let result = try await runProcess(
      testPython, ["-W", "ignore", script.path, service, "2.25.7001", expected])
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.contains("5 objects, 0 voxels wrong"), "\(result.output)")
    try await pacs.stop()
  }
}
