import Evaluation
import Foundation
import NIfTI
import Segmentation
import TestSupport
import Testing
import Volumes

@testable import TrainingRuns

struct CaseReaderTests {
  private func error(_ phantom: CaseFolderPhantom) throws -> TrainingDataError {
    let files = try #require(try phantom.files().first)
    return try #require(throws: TrainingDataError.self) { try phantom.reader.read(files) }
  }

  @Test func imagesAndLabelsAreRead() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    let item = try phantom.reader.read(try phantom.files()[0])
    #expect(item.name == "a" && item.channels.count == 1)
    #expect(
      item.channels[0].grid.isClose(to: CaseFolderPhantom.grid([6, 20, 24], [10, 1.5, 1.5])))
    #expect(item.labels.labels.count { $0 == 1 } == 250)
    #expect(item.channels[0].storage[(20 + 7) * 24 + 5] > 180)
  }

  @Test func aDICOMSeriesIsACase() throws {
    let folder = TestFiles.fixtures.appendingPathComponent("series")
    let files = CaseFiles(
      name: "synthetic-1", images: [folder.appendingPathComponent("synthetic-1")],
      labels: folder.appendingPathComponent("synthetic-1.labels.nii.gz"))
    let reader = CaseReader(channels: 1, labels: CaseFolderPhantom.labels)
    let item = try reader.read(files)
    #expect(Set(item.labels.labels) == [0, 1, 2])
    #expect(item.channels[0].storage.count == item.labels.labels.count)
  }

  @Test(arguments: ["shape", "origin", "spacing"])
  func labelsOfAnotherGridAreRefused(difference: String) throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    let grid = CaseFolderPhantom.grid(
      difference == "shape" ? [6, 20, 23] : [6, 20, 24],
      difference == "spacing" ? [10, 1.5, 1.6] : [10, 1.5, 1.5],
      origin: difference == "origin" ? [1, 2, 4.5] : [1, 2, 3])
    try NIfTIFile.write(
      LabelVolume(grid: grid, labels: [UInt8](repeating: 1, count: grid.voxelCount)),
      to: phantom.label("a").path)
    let found = try error(phantom)
    guard case .labelsOnDifferentGrid = found else {
      Issue.record("\(found)")
      return
    }
    #expect(found.description.contains(phantom.label("a").path))
    #expect(found.description.contains("24×20×6 voxels of 1.5×1.5×10"))
    #expect(found.description.contains("resample the labels"))
  }

  @Test func labelsOutsideTheClassesAreRefused() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    var labels = try NIfTIFile(path: phantom.label("a").path).labels()
    labels.labels[5] = 7
    labels.labels[6] = 7
    try NIfTIFile.write(labels, to: phantom.label("a").path)
    #expect(
      try error(phantom)
        == .unknownLabel(path: phantom.label("a").path, value: 7, voxels: 2, classes: 3))
  }

  @Test(arguments: [Float.nan, .infinity])
  func voxelsThatAreNoNumbersAreRefused(value: Float) throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    let grid = CaseFolderPhantom.grid([6, 20, 24], [10, 1.5, 1.5])
    var values = (0..<grid.voxelCount).map { Float($0) }
    values[(2 * 20 + 3) * 24 + 4] = value
    try CaseFolderPhantom.writeImage(values, grid, to: phantom.image("a"))
    let found = try error(phantom)
    #expect(found.description.contains("voxel (4, 3, 2) is \(value)"))
    // Elsewhere such voxels are outside a mask: 0.
    let volume = try NIfTIFile(path: phantom.image("a").path).volume()
    #expect(volume.storage[(2 * 20 + 3) * 24 + 4] == 0)
    #expect(found.description.contains(phantom.image("a").path))
  }

  @Test func imagesThatShowNothingAreRefused() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    let grid = CaseFolderPhantom.grid([6, 20, 24], [10, 1.5, 1.5])
    try CaseFolderPhantom.writeImage(
      [Float](repeating: 5, count: grid.voxelCount), grid, to: phantom.image("a"))
    #expect(try error(phantom) == .constant(path: phantom.image("a").path, value: 5))
  }

  @Test func aSpacingOfZeroIsRefused() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    var bytes = try Data(contentsOf: phantom.image("a"))
    bytes.replaceSubrange(280..<284, with: [0, 0, 0, 0])  // srow_x[0]
    try bytes.write(to: phantom.image("a"))
    let found = try error(phantom).description
    #expect(found.contains(phantom.image("a").path) && found.contains("size must be positive"))
  }

  @Test func channelsAreCountedAndOnOneGrid() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    let two = CaseReader(channels: 2, labels: CaseFolderPhantom.labels)
    let files = try phantom.files()[0]
    #expect(
      throws: TrainingDataError.channelCount(
        path: phantom.image("a").path, found: 1, expected: 2)
    ) { try two.read(files) }
    let other = CaseFolderPhantom.grid([6, 20, 24], [10, 1.5, 1.5], origin: [0, 0, 9])
    let second = phantom.folder.url.appendingPathComponent("second.nii")
    try CaseFolderPhantom.writeImage((0..<other.voxelCount).map { Float($0) }, other, to: second)
    var both = files
    both.images.append(second)
    let found = try #require(throws: TrainingDataError.self) { try two.read(both) }
    #expect(found.description.contains(second.path))
  }

  @Test func anUnreadableFileIsNamed() throws {
    let phantom = try CaseFolderPhantom()
    try phantom.write("a")
    try Data("text".utf8).write(to: phantom.label("a"))
    #expect(try error(phantom).description.contains(phantom.label("a").path))
  }
}
