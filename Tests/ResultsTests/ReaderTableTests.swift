import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// What other programs read of segmentations on sources of every kind: the table of the guide
/// "Interoperability", which `Scripts/readers-table.sh` prints.
@Suite(.serialized) struct ReaderTableTests {
  /// A source and what is found in it.
  private struct Source {
    var name: String
    var shape = PhantomSeries.Shape(rows: 16, columns: 24)
    var isPlaceless = false
    /// Which voxels keep their label; nil keeps none.
    var keeps: (@Sendable (VolumeGrid, Int) -> Bool)? = { _, _ in true }
  }

  /// All in one study, so that a viewer has to be started once.
  private static var sources: [Source] {
    let oblique = ["0.96", "0.28", "0", "-0.224", "0.768", "-0.6"]
    let sources = [
      Source(name: "placed"),
      Source(name: "placeless", isPlaceless: true),
      Source(name: "oblique", shape: .init(rows: 16, columns: 24, orientation: oblique)),
      Source(name: "tilted gantry", shape: .init(rows: 16, columns: 24, shear: 0.75)),
      Source(name: "multi-frame", shape: .init(rows: 16, columns: 24, isMultiFrame: true)),
      Source(name: "4D, last phase", shape: .init(rows: 16, columns: 24, phases: 3)),
      Source(name: "23×38", shape: .init(rows: 23, columns: 38)),
      Source(name: "one voxel") { grid, voxel in voxel == Self.oneVoxel(grid) },
      Source(name: "one slice") { grid, voxel in voxel / (grid.rows * grid.columns) == 3 },
      Source(name: "empty", keeps: nil),
    ]
    return sources.enumerated().map { index, source in
      var source = source
      source.shape.number = index + 1
      return source
    }
  }

  private static func oneVoxel(_ grid: VolumeGrid) -> Int {
    (4 * grid.rows + 5) * grid.columns + 7
  }

  /// A source's images and objects in a folder of their own, with what is expected.
  ///
  /// - Returns: the path of expected.json.
  @discardableResult private static func write(_ source: Source, below root: URL) throws -> String {
    let series = try PhantomSeries(source.shape) { dataset in
      dataset.set(.seriesDescription, .LO, "source \(source.shape.number)")
      if source.isPlaceless { dataset[.frameOfReferenceUID] = nil }
    }
    var labels = PhantomLabels.volume(on: series.stack.sourceGrid)
    for voxel in labels.labels.indices where source.keeps?(labels.grid, voxel) != true {
      labels.labels[voxel] = 0
    }
    if source.name == "one voxel" { labels.labels[oneVoxel(labels.grid)] = 5 }
    var options = ResultOptions()
    options.nothingFound = .segmentation
    let folder = root.appendingPathComponent(source.name)
    let images = folder.appendingPathComponent("images")
    try? FileManager.default.removeItem(at: folder)
    try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
    let uid = "2.25.810\(source.shape.number)"
    let probabilities = PhantomLabels.probabilities(of: labels)
    let forms: [(SegmentationForm, String)] = [
      (.binary, "segmentation"), (.labelMap, "labelmap"), (.fractional, "fractional"),
    ]
    for (index, (form, name)) in forms.enumerated() {
      let object = series.segmentation(
        labels, probabilities: form == .fractional ? probabilities : nil,
        identifiers: ResultIdentifiers(
          seriesInstanceUID: "\(uid)1\(index + 1)", sopInstanceUID: "\(uid)2\(index + 1)"),
        options: options, form: form)
      let file = folder.appendingPathComponent("\(name).dcm").path
      // Of nothing there are no probabilities.
      let outcome = try object.write(to: file)
      #expect(outcome == (form == .fractional && source.keeps == nil ? .nothingFound : .written))
      if outcome == .written { try object.prove(file) }
    }
    let object = series.segmentation(
      labels,
      identifiers: ResultIdentifiers(seriesInstanceUID: "\(uid)11", sopInstanceUID: "\(uid)21"),
      options: options)
    for name in try FileManager.default.contentsOfDirectory(atPath: series.folder.url.path) {
      try FileManager.default.copyItem(
        at: series.folder.url.appendingPathComponent(name), to: images.appendingPathComponent(name))
    }
    return try ReaderExpectation(of: object).write(to: folder, probabilities: probabilities)
  }

  /// Each cell of the table is exact, or says why that program cannot.
  ///
  /// With `SEGMENTD_READERS_TABLE` the sources and objects stay in that folder.
  @Test func otherProgramsReadEverySource() async throws {
    let kept = ProcessInfo.processInfo.environment["SEGMENTD_READERS_TABLE"]
    _ = try await checkedTable(in: kept.map { URL(fileURLWithPath: $0) })
  }

  /// Writes all sources and has the script compare what programs read of them.
  ///
  /// - Parameters:
  ///   - options: which programs; none for those that need no option.
  ///   - kept: where the sources stay.
  /// - Returns: the table.
  private func checkedTable(_ options: [String] = [], in kept: URL? = nil) async throws -> String {
    let temporary = try TemporaryFolder()
    let root = kept ?? temporary.url
    for source in Self.sources { try Self.write(source, below: root) }
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/readers/readers_table.py").path
    let result = try await runProcess(
      testPython, ["-W", "ignore", script, root.path, "--check"] + options)
    #expect(result.status == 0, "\(result.output)")
    return result.output
  }

  /// The packages that `Scripts/test.sh` installs.
  private static let pydicomSeg = TestFiles.package.appendingPathComponent(".venv/pydicom-seg")
  private static let pydicomSegIsMissing =
    "pydicom-seg is not in .venv/pydicom-seg: Scripts/test.sh installs it from PyPI, which did not answer"
  private static var hasPydicomSeg: Bool {
    FileManager.default.fileExists(atPath: pydicomSeg.appendingPathComponent("installed").path)
  }

  /// With the pydicom of its time.
  @Test(.enabled(if: hasPydicomSeg, Comment(rawValue: pydicomSegIsMissing)))
  func pydicomSegReadsEverySource() async throws {
    let table = try await checkedTable(
      ["--pydicom-seg", Self.pydicomSeg.path, "--only", "pydicom-seg"])
    #expect(table.components(separatedBy: "| exact |").count == Self.sources.count)
  }

  /// The environment that `Scripts/readers-table.sh --slicer` makes.
  private static let slicer = TestFiles.package.appendingPathComponent(".venv-slicer/bin/python3")
  private static let slicerIsMissing =
    "3D Slicer's core is not in .venv-slicer: Scripts/readers-table.sh --slicer installs it from PyPI, 250 MB"

  /// On the images as it loads them.
  @Test(
    .enabled(
      if: FileManager.default.isExecutableFile(atPath: slicer.path),
      Comment(rawValue: slicerIsMissing)))
  func slicersCoreReadsEverySource() async throws {
    let table = try await checkedTable(["--slicer", Self.slicer.path, "--only", "Slicer's core"])
    for source in Self.sources {
      #expect(table.contains("| \(source.name) | "), "\(table)")
    }
  }

  /// The viewer of PyPI's package monailabel, which `Scripts/test.sh` fetches.
  private static let viewer = TestFiles.package.appendingPathComponent(".venv/ohif")
  private static let viewerIsMissing =
    "the OHIF viewer is not in .venv/ohif: Scripts/test.sh fetches it from PyPI, which did not answer"
  private static var hasViewer: Bool {
    FileManager.default.fileExists(atPath: viewer.appendingPathComponent("index.html").path)
  }

  private struct Seen: Decodable {
    struct Source: Decodable {
      var voxels: Int
      var labelled: Int
      var wrong: Int
      var segments: [String]
    }
    var sources: [String: Source]
    var errors: [String]
  }

  /// The label maps that a real OHIF draws from an archive's DICOMweb.
  @Test(.enabled(if: hasViewer, Comment(rawValue: viewerIsMissing)))
  func aRealOHIFHoldsTheSameVoxels() async throws {
    let folder = try TemporaryFolder()
    let kept = ProcessInfo.processInfo.environment["SEGMENTD_READERS_TABLE"]
    let root = kept.map { URL(fileURLWithPath: $0) } ?? folder.url
    let pacs = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    var expected: [String] = []
    for source in Self.sources {
      expected.append(try Self.write(source, below: root))
      let own = root.appendingPathComponent(source.name)
      let images = own.appendingPathComponent("images")
      let files = try FileManager.default.contentsOfDirectory(atPath: images.path)
        .map { images.appendingPathComponent($0) }
      try await pacs.upload(files + [own.appendingPathComponent("segmentation.dcm")])
    }
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/peers/ohif_browser.py").path
    let screenshot = root.appendingPathComponent("ohif.png").path
    let result = try await runProcess(
      testPython,
      [
        script, Self.viewer.path, "http://127.0.0.1:\(pacs.webPort)", "2.25.7001", screenshot,
      ] + expected)
    try #require(result.status == 0, "\(result.output)")
    if kept != nil {
      try Data(result.output.utf8).write(to: root.appendingPathComponent("ohif.json"))
    }
    let seen = try JSONDecoder().decode(Seen.self, from: Data(result.output.utf8))
    #expect(seen.errors == [])
    #expect(seen.sources.count == Self.sources.count)
    for (name, source) in seen.sources {
      // Of all frames of an image it has one label image.
      #expect((source.wrong == 0) == (name != "multi-frame"), "\(name)")
      #expect(source.labelled > 0 || name == "empty", "\(name)")
      #expect(source.segments.contains("Right kidney"), "\(name)")
    }
    try await pacs.stop()
  }
}
