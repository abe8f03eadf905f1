import Foundation
import NIfTI
import TestSupport
import Testing
import Volumes

/// Volumes of real series are where an independent converter's NIfTI files say.
@Suite(
  .limitedConcurrency,
  .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
struct ReferenceGeometryTests {
  @Test(arguments: [
    ("mr_two_slices", "001_ground_truth.nii.gz"),
    ("mr_sagittal_transfer_syntaxes/compressed_rle", "001_ground_truth.nii.gz"),
    ("mr_sagittal_transfer_syntaxes/explicit_le", "001_ground_truth.nii.gz"),
    ("mr_per_slice_rescale_nonisotropic", "002_non_isotropic_ground_truth.nii.gz"),
    ("emr_philips_fmri_4d", "001_ground_truth.nii.gz"),
    ("emr_siemens_xa10_4d", "Siemens_REST1_w_SMS_PF7-8_6.nii"),
    ("ct_siemens_abdomen_j2k", "example_seg_dicom.nii.gz"),
    ("mr_mosaic_9_transfer_syntaxes", "1.nii"),
    ("emr_philips_anatomical", "001_ground_truth.nii.gz"),
    ("emr_hyperfine", "001_ground_truth.nii.gz"),
    ("mr_ge_dti_4d_bvalue", "002_ground_truth.nii.gz"),
    ("mr_philips_4d_triggertime", "301_ASL_MultiPhase_classic.nii"),
  ])
  func gridsAgree(folder: String, reference: String) async throws {
    let data = try #require(TestFiles.shared).appendingPathComponent("realdata/\(folder)")
    let nifti = try NIfTIFile(path: data.appendingPathComponent(reference).path)
    let inner = data.appendingPathComponent("dicom").path
    let series = try await Inspection.run(
      FileManager.default.fileExists(atPath: inner) ? inner : data.path)
    let volumes = series.flatMap(\.volumes)
    #expect(!volumes.isEmpty)
    if nifti.volumeCount > 1 { #expect(volumes.count == nifti.volumeCount) }
    for volume in volumes { expect(volume, liesLike: nifti.grid) }
  }

  /// The same voxels, whatever axis of the file runs along which and in which direction.
  private func expect(_ volume: Inspection.Series.Volume, liesLike grid: VolumeGrid) {
    let column = { (index: Int) in
      SIMD3(volume.affine[0][index], volume.affine[1][index], volume.affine[2][index])
    }
    let reference = [grid.affine.column, grid.affine.row, grid.affine.slice]
    let counts = [grid.columns, grid.rows, grid.slices]
    var axes: [Int] = []
    var corner = grid.affine.origin
    for index in 0..<3 {
      let own = column(index)
      let match = reference.indices.first { axis in
        counts[axis] == volume.dims[index]
          && (distance(reference[axis], own) < 1e-3 || distance(-reference[axis], own) < 1e-3)
      }
      guard let match else {
        Issue.record("no axis of \(reference) is \(own)")
        return
      }
      axes.append(match)
      if distance(-reference[match], own) < 1e-3 {
        corner += Double(counts[match] - 1) * reference[match]
      }
    }
    #expect(Set(axes).count == 3)
    #expect(distance(corner, column(3)) < 1e-3, "\(corner), \(column(3))")
  }

  private func distance(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double {
    ((a - b) * (a - b)).sum().squareRoot()
  }
}
