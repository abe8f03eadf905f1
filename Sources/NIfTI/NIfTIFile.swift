import CNIFTI
import FileSystem
import Foundation
import Volumes

/// A NIfTI-1 or NIfTI-2 file (.nii, .nii.gz) whose header has been checked.
///
/// Columns, rows and slices of the grid are the file's first, second and third axis, and the
/// voxels keep its order. The file's coordinates (x to the right, y to the anterior: RAS) become
/// DICOM's (LPS): x and y change sign. The place of the voxels is taken from the sform where
/// sform_code is set, else from the qform, as nibabel does; a file with neither is refused.
///
/// Decompression, byte order and quaternions are nifti_clib's; its trust in the header is not ours.
///
/// ```swift
/// let file = try NIfTIFile(path: "labels.nii.gz")
/// let labels = try file.labels()  // in the file's voxel order, placed in LPS
/// ```
public struct NIfTIFile: Sendable, Equatable {
  public let path: String
  public let grid: VolumeGrid
  /// dim[4]: 1 for a plain volume, the number of channels or time points else.
  public let volumeCount: Int
  /// 1 or 2.
  public var version: Int { header.version }
  public var datatype: NIfTIDatatype { header.datatype }
  private let header: NIfTIHeader

  /// Whether the name is that of a NIfTI file.
  public static func isNamed(_ path: String) -> Bool {
    let name = path.lowercased()
    return name.hasSuffix(".nii") || name.hasSuffix(".nii.gz")
  }

  /// Reads and checks the header.
  ///
  /// - Throws: ``NIfTIError`` naming the file and the field.
  public init(path: String) throws(NIfTIError) {
    try self.init(path: path, admitsShear: false)
  }

  /// - Parameters:
  ///   - path: a `.nii` or `.nii.gz` file.
  ///   - admitsShear: takes axes that are not perpendicular, as labels on the slices of a tilted
  ///     gantry have them.
  init(path: String, admitsShear: Bool) throws(NIfTIError) {
    self.path = path
    guard Self.isNamed(path) else {
      throw .notNIfTI(path: path, reason: "its name ends neither in .nii nor in .nii.gz")
    }
    let isCompressed = path.lowercased().hasSuffix(".gz")
    var start = [UInt8](repeating: 0, count: 540)
    let count = cnifti_read_start(path, isCompressed ? 1 : 0, &start, Int64(start.count))
    guard count >= 0 else { throw .cannotRead(path: path) }
    header = try NIfTIHeader(Array(start.prefix(Int(count))), path: path)
    try Self.checkSize(header, path: path, isCompressed: isCompressed)
    let file = try OpenFile(path)
    grid = try Self.grid(
      header, file.affine(sform: header.hasSform), path: path, admitsShear: admitsShear)
    volumeCount = header.dim[3]
  }

  /// One volume for each index of the fourth dimension, scaled by scl_slope and scl_inter.
  ///
  /// - Parameter keepsNonFinite: whether stored values that are infinite or not a number stay so; else
  ///   they count as 0, which is how programs of neuroimaging mark what is outside a mask.
  public func volumes(keepsNonFinite: Bool = false) throws(NIfTIError) -> [Volume] {
    let count = grid.voxelCount
    var volumes: [[Float]] = []
    let file = try OpenFile(path)
    let data = try file.voxels(header)
    let (slope, intercept) = (header.slope, header.intercept)
    for index in 0..<volumeCount {
      let part = UnsafeRawBufferPointer(
        rebasing: data[index * count * datatype.size..<(index + 1) * count * datatype.size])
      volumes.append(
        [Float](unsafeUninitializedCapacity: count) { result, initialized in
          initialized = count
          datatype.forEach(part) { index, stored in
            let value = stored.isFinite || keepsNonFinite ? stored : 0
            result[index] = Float(value * slope + intercept)
          }
        })
    }
    withExtendedLifetime(file) {}
    return volumes.map { Volume(grid: grid, voxels: $0) }
  }

  /// The file's one volume.
  ///
  /// - Throws: ``NIfTIError/severalVolumes(path:count:)`` where there are more.
  public func volume() throws(NIfTIError) -> Volume {
    guard volumeCount == 1, let volume = try volumes().first else {
      throw .severalVolumes(path: path, count: volumeCount)
    }
    return volume
  }

  /// The file's one volume as labels: every voxel must be a whole number from 0 to 255.
  public func labels() throws(NIfTIError) -> LabelVolume {
    guard volumeCount == 1 else { throw .severalVolumes(path: path, count: volumeCount) }
    var labels = [UInt8](repeating: 0, count: grid.voxelCount)
    var wrong: (index: Int, value: Double)?
    let file = try OpenFile(path)
    let data = try file.voxels(header)
    let (slope, intercept) = (header.slope, header.intercept)
    labels.withUnsafeMutableBufferPointer { labels in
      datatype.forEach(data) { index, stored in
        let value = stored * slope + intercept
        if let label = UInt8(exactly: value) {
          labels[index] = label
        } else if wrong == nil {
          wrong = (index, value)
        }
      }
    }
    withExtendedLifetime(file) {}
    if let wrong {
      let (row, column) = (wrong.index / grid.columns, wrong.index % grid.columns)
      throw .notALabel(
        path: path, value: wrong.value, column: column, row: row % grid.rows,
        slice: row / grid.rows)
    }
    return LabelVolume(grid: grid, labels: labels)
  }
}

extension NIfTIFile {
  /// What the header promises against what the file can hold. Deflate packs at most 1032 bytes
  /// into one (zlib's technical details), so that a small file cannot ask for much memory.
  private static func checkSize(_ header: NIfTIHeader, path: String, isCompressed: Bool)
    throws(NIfTIError)
  {
    guard let size = FileStatus(path)?.size else { throw .cannotRead(path: path) }
    let held = (isCompressed ? 1032 * size : size) - header.voxelOffset
    guard held >= header.voxelBytes else {
      throw .truncated(path: path, promisedBytes: header.voxelBytes, heldBytes: max(0, held))
    }
  }

  private static func grid(
    _ header: NIfTIHeader, _ ras: [Double], path: String, admitsShear: Bool
  ) throws(NIfTIError) -> VolumeGrid {
    let name = header.hasSform ? "srow_x, srow_y, srow_z" : "quatern_b, quatern_c, quatern_d"
    func column(_ index: Int) -> SIMD3<Double> {
      SIMD3(-ras[index], -ras[4 + index], ras[8 + index])
    }
    let steps = (0..<3).map(column)
    let lengths = steps.map { ($0 * $0).sum().squareRoot() }
    guard lengths.allSatisfy({ $0.isFinite && $0 > 1e-6 }) else {
      throw .field(
        path: path, name: name, value: "\(lengths)", reason: "a voxel's size must be positive")
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] where !admitsShear {
      let cosine = (steps[a] * steps[b]).sum() / (lengths[a] * lengths[b])
      guard abs(cosine) < maximumCosine else {
        throw .field(
          path: path, name: name, value: "\(ras)",
          reason: "axes \(a + 1) and \(b + 1) are not perpendicular (cosine \(cosine))")
      }
    }
    return VolumeGrid(
      columns: header.dim[0], rows: header.dim[1], slices: header.dim[2],
      affine: Affine(column: steps[0], row: steps[1], slice: steps[2], origin: column(3)))
  }

  /// About half a degree: rounding of headers stays far below, a tilted gantry far above.
  private static let maximumCosine = 0.01
}

/// The library's handle, closed when it goes away.
final class OpenFile {
  let handle: OpaquePointer
  private let path: String

  init(_ path: String) throws(NIfTIError) {
    guard let handle = cnifti_open(path) else {
      throw .notNIfTI(path: path, reason: "nifti_clib does not read its header")
    }
    self.handle = handle
    self.path = path
  }

  deinit { cnifti_close(handle) }

  /// Three rows of four, RAS.
  func affine(sform: Bool) -> [Double] {
    var values = [Double](repeating: 0, count: 12)
    if sform { cnifti_sform(handle, &values) } else { cnifti_qform(handle, &values) }
    return values
  }

  /// All voxels; valid as long as this object lives.
  func voxels(_ header: NIfTIHeader) throws(NIfTIError) -> UnsafeRawBufferPointer {
    guard let data = cnifti_load(handle) else { throw .damagedVoxels(path: path) }
    return UnsafeRawBufferPointer(start: data, count: header.voxelBytes)
  }
}
