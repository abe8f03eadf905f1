import DICOM
import Foundation
import GeometryGate
import TestSupport
import Testing
import Volumes

@testable import Results

/// Every series of real scanners that the gate accepts gives an object that is proved, whatever its files
/// state.
@Suite struct RealSourcesTests {
  private static var collections: [String] {
    guard let folder = TestFiles.shared?.appendingPathComponent("realdata") else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted()
  }

  @Test(
    .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)),
    arguments: collections)
  func everyAcceptedVolumeIsProved(_ collection: String) throws {
    let root = try #require(TestFiles.shared).appendingPathComponent("realdata/\(collection)")
    for (_, frames) in try Self.series(in: root) {
      for volume in assess(frames: frames, rules: GeometryRules()).volumes
      where volume.verdict != .held {
        let grid = volume.stack.sourceGrid
        var labels = LabelVolume(
          grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
        for place in stride(from: grid.voxelCount / 3, to: grid.voxelCount / 2, by: 1009) {
          labels.labels[place] = place % 2 == 0 ? 1 : 5
        }
        let series = PhantomSeries(folder: try TemporaryFolder(), stack: volume.stack)
        let path = series.folder.url.appendingPathComponent("seg.dcm").path
        let object = series.segmentation(labels)
        #expect(try object.write(to: path) == .written)
        #expect(throws: Never.self, "\(collection)") { try object.prove(path) }
        let dataset = try DICOMFile(path: path).dataset
        #expect(DICOMUID.isValid(dataset.text(.frameOfReferenceUID) ?? ""))
        #expect((dataset[.seriesDescription]?.isEmpty ?? true) == false)
      }
    }
  }

  /// The frames of each series below a folder.
  private static func series(in folder: URL) throws -> [String: [ImageFrame]] {
    var series: [String: [ImageFrame]] = [:]
    let files = FileManager.default.enumerator(atPath: folder.path)
    while let name = files?.nextObject() as? String {
      let path = folder.appendingPathComponent(name).path
      guard let file = try? DICOMFile(path: path), (try? file.identity()) != nil,
        let frames = try? file.imageFrames()
      else { continue }
      for frame in frames { series[frame.seriesInstanceUID, default: []].append(frame) }
    }
    return series
  }
}
