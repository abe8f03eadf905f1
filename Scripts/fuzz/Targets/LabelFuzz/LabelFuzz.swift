import Foundation
import FuzzSupport
import Results
import Volumes

/// As many voxels as small seeds have: more would say nothing more and take its time.
private let mostVoxels = 1 << 18
/// Of the seeds of Scripts/fuzz.sh; a structure set gives no grid of its own.
private let seedGrid = VolumeGrid(
  columns: 8, rows: 8, slices: 2,
  affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 2], origin: [0, 0, 0]))

/// Reads what libFuzzer makes as a segmentation, label map or structure set of others is read: its segments, the
/// grid that it covers, and the labels on that grid and another one.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  guard let path = scratchFile(bytes, ending: ".dcm") else { return 0 }
  _ = try? SegmentationLabels.segments(of: path)
  _ = try? LabelHash.of([path])
  let own = try? SegmentationLabels.grid(covering: [path])
  for grid in [own, seedGrid].compactMap(\.self) where grid.voxelCount <= mostVoxels {
    let volume = try? SegmentationLabels.read(path, onto: grid) { UInt8(clamping: $0.number) }
    precondition(volume.map { $0.labels.count == grid.voxelCount } ?? true)
  }
  return 0
}
