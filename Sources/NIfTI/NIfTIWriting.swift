import CNIFTI
import FileSystem
import Foundation
import Volumes

extension NIfTIFile {
  /// Writes labels as 8-bit NIfTI, readable by the owner alone, and reads them back.
  ///
  /// - Parameters:
  ///   - labels: the labels, one byte a voxel.
  ///   - path: ends in `.nii` or `.nii.gz`; an older file there is replaced once the new one is
  ///     whole.
  ///   - source: the file that the labels belong to: its version, sform and qform are taken over to
  ///     the bit. nil writes NIfTI-1 with the labels' own grid as both; single precision then rounds
  ///     it by less than 1e-4 mm within a metre of the origin. Where the grid is sheared, as the
  ///     slices of a tilted gantry are, it is the sform alone and qform_code is 0: the standard
  ///     admits any affine map there (nifti1.h, method 3), and programs that read only qforms see
  ///     that they have none.
  /// - Throws: ``NIfTIError``.
  public static func write(
    _ labels: LabelVolume, to path: String, geometryOf source: NIfTIFile? = nil
  ) throws(NIfTIError) {
    guard isNamed(path) else {
      throw .cannotWrite(path: path, reason: "the name ends neither in .nii nor in .nii.gz")
    }
    guard labels.labels.count == labels.grid.voxelCount,
      source.map({ $0.grid == labels.grid }) ?? true
    else { throw .cannotWrite(path: path, reason: "the labels do not belong to the grid") }
    let url = URL(fileURLWithPath: path)
    let suffix = path.lowercased().hasSuffix(".gz") ? ".nii.gz" : ".nii"
    let partial = url.deletingLastPathComponent()
      .appendingPathComponent(".\(UUID().uuidString)\(suffix)").path
    defer { try? FileManager.default.removeItem(atPath: partial) }
    try writeFile(labels, to: partial, named: path, source: source)
    let written = try NIfTIFile(path: partial, admitsShear: true).labels()
    guard written.labels == labels.labels, written.grid.isClose(to: labels.grid) else {
      throw .cannotWrite(path: path, reason: "what was written does not read back the same")
    }
    do throws(DurableFileError) {
      try DurableFile.sync(partial)
      try DurableFile.move(partial, to: path)
    } catch {
      throw .cannotWrite(path: path, reason: error.reason)
    }
  }

  private static func writeFile(
    _ labels: LabelVolume, to partial: String, named path: String, source: NIfTIFile?
  ) throws(NIfTIError) {
    let descriptor = open(partial, O_CREAT | O_EXCL | O_WRONLY, 0o600)
    guard descriptor >= 0 else {
      throw .cannotWrite(path: path, reason: String(cString: strerror(errno)))
    }
    close(descriptor)
    let grid = labels.grid
    let shape = [grid.columns, grid.rows, grid.slices].map(Int64.init)
    let (column, row) = (grid.affine.column, grid.affine.row)
    let (slice, origin) = (grid.affine.slice, grid.affine.origin)
    let ras = [
      -column.x, -row.x, -slice.x, -origin.x, -column.y, -row.y, -slice.y, -origin.y,
      column.z, row.z, slice.z, origin.z,
    ]
    var opened: OpenFile?
    if let source { opened = try OpenFile(source.path) }
    let status = cnifti_write_labels(
      partial, Int32(source?.version ?? 1), labels.labels, shape, opened?.handle, ras)
    withExtendedLifetime(opened) {}
    guard status == 0 else { throw .cannotWrite(path: path, reason: "nifti_clib failed") }
  }
}
