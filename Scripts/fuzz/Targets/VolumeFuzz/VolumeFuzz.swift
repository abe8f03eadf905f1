import Foundation
import FuzzSupport
import NIfTI

/// Reads what libFuzzer makes as a NIfTI file, as it is and compressed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  for ending in [".nii", ".nii.gz"] {
    guard let path = scratchFile(bytes, ending: ending),
      let file = try? NIfTIFile(path: path)
    else { continue }
    if let volumes = try? file.volumes() {
      precondition(volumes.allSatisfy { $0.voxels.count == file.grid.voxelCount })
    }
    _ = try? file.labels()
  }
  return 0
}
