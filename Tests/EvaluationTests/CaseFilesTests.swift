import Foundation
import TestSupport
import Testing

@testable import Evaluation

@Suite struct CaseFilesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Empty files, and folders where a name ends in a slash.
  private func make(_ names: String...) throws {
    for name in names {
      let url = folder.url.appendingPathComponent(name)
      let parent = name.hasSuffix("/") ? url : url.deletingLastPathComponent()
      try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
      if !name.hasSuffix("/") { try Data().write(to: url) }
    }
  }

  private func match(_ images: String, _ labels: String, names: [String]? = nil) throws
    -> [String: [String]]
  {
    let cases = try CaseFiles.match(
      images: folder.url.appendingPathComponent(images),
      labels: folder.url.appendingPathComponent(labels), names: names)
    return Dictionary(
      uniqueKeysWithValues: cases.map { item in
        (item.name, (item.images + [item.labels]).map(\.lastPathComponent))
      })
  }

  @Test func sameNamesMatch() throws {
    try make("images/a.nii.gz", "images/b.nii", "labels/a.nii.gz", "labels/b.nii.gz")
    #expect(
      try match("images", "labels")
        == ["a": ["a.nii.gz", "a.nii.gz"], "b": ["b.nii", "b.nii.gz"]])
    #expect(try match("", "", names: ["b"]) == ["b": ["b.nii", "b.nii.gz"]])
  }

  @Test func decathlonFoldersAndChannelsMatch() throws {
    try make(
      "imagesTr/brats_1_0001.nii.gz", "imagesTr/brats_1_0000.nii.gz", "imagesTr/._brats_1.nii.gz",
      "labelsTr/brats_1.nii.gz", "dataset.json")
    #expect(
      try match("", "")
        == ["brats_1": ["brats_1_0000.nii.gz", "brats_1_0001.nii.gz", "brats_1.nii.gz"]])
  }

  @Test func numbersOfTheAbdomenMatch() throws {
    try make("img/img0035.nii.gz", "label/label0035.nii.gz")
    #expect(try match("img", "label") == ["0035": ["img0035.nii.gz", "label0035.nii.gz"]])
  }

  @Test func aPatientIsAllItsCases() throws {
    try make("images/p1_a.nii", "images/p1_b.nii", "images/p10_a.nii", "images/p2.nii")
    try make("labels/p1_a.nii", "labels/p1_b.nii", "labels/p10_a.nii", "labels/p2.nii")
    #expect(try match("images", "labels", names: ["p1"]).keys.sorted() == ["p1_a", "p1_b"])
    #expect(try match("images", "labels", names: ["p2", "p1_b", "p1"]).count == 3)
    #expect(throws: CaseListError.unknownCases(names: ["p", "p1_"])) {
      try match("images", "labels", names: ["p", "p1_", "p2"])
    }
    // A case of the name is that case alone.
    let called = CaseFiles.called(["b", "c"], among: ["b", "b_1", "c_2", "c_1"])
    #expect(called.cases == ["b", "c_2", "c_1"] && called.unknown.isEmpty)
  }

  @Test func anImageIsNotItsOwnLabels() throws {
    try make("heart/p1.nii.gz", "heart/p1_gt.nii.gz", "heart/p2.nii.gz")
    let cases = try CaseFiles.match(
      images: folder.url.appendingPathComponent("heart"),
      labels: folder.url.appendingPathComponent("heart"), names: nil)
    #expect(throws: CaseListError.unmatched(images: ["p2"], labels: [])) {
      try CaseFiles.checkLabelsAreApart(cases)
    }
    try CaseFiles.checkLabelsAreApart(cases.filter { $0.name == "p1" })
  }

  @Test func labelsNextToImagesMatch() throws {
    try make(
      "heart/p1_frame01.nii.gz", "heart/p1_frame01_gt.nii.gz", "series/one/1.dcm",
      "series/one.labels.nii.gz")
    #expect(
      try match("heart", "heart")
        == ["p1_frame01": ["p1_frame01.nii.gz", "p1_frame01_gt.nii.gz"]])
    #expect(try match("series", "series") == ["one": ["one", "one.labels.nii.gz"]])
  }

  @Test func singleFilesAndASeriesMatchWhateverTheirNames() throws {
    try make("x/found.dcm", "y.nii.gz", "series/1", "series/2")
    #expect(try match("x/found.dcm", "y.nii.gz") == ["found": ["found.dcm", "y.nii.gz"]])
    #expect(try match("series", "y.nii.gz") == ["series": ["series", "y.nii.gz"]])
  }

  @Test func whatDoesNotMatchIsNamed() throws {
    try make("images/a.nii", "images/b.nii", "labels/b.nii", "labels/c.nii", "empty/")
    #expect(throws: CaseListError.unmatched(images: ["a"], labels: ["c"])) {
      try match("images", "labels")
    }
    #expect(throws: CaseListError.unmatched(images: ["a"], labels: [])) {
      try match("images", "labels", names: ["a", "b"])
    }
    #expect(throws: CaseListError.unknownCases(names: ["z"])) {
      try match("images", "labels", names: ["b", "z"])
    }
    try make("images/b.nii.gz")
    #expect(throws: CaseListError.self) { try match("images", "labels") }
    #expect(throws: CaseListError.self) { try match("empty", "labels") }
    #expect(throws: CaseListError.self) { try match("none", "labels") }
  }

  @Test func listsOfNamesAreRead() throws {
    let file = folder.url.appendingPathComponent("split.json")
    #expect(try CaseFiles.names(from: "a, b") == ["a", "b"])
    try Data(#"["c", "d"]"#.utf8).write(to: file)
    #expect(try CaseFiles.names(from: file.path) == ["c", "d"])
    try Data(#"{"seed": 1, "heldOut": ["e"], "training": ["f"]}"#.utf8).write(to: file)
    #expect(try CaseFiles.names(from: file.path) == ["e"])
    try Data("{}".utf8).write(to: file)
    #expect(throws: CaseListError.self) { try CaseFiles.names(from: file.path) }
    #expect(throws: CaseListError.self) { try CaseFiles.names(from: file.path + "x.json") }
  }
}
