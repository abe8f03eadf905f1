import Wording

/// The fields of a NIfTI header that say how to read the voxels and where they are, checked.
///
/// NIfTI-1: 348 bytes (nifti1.h); NIfTI-2: 540 bytes (nifti2.h). Only single files (magic "n+1"
/// and "n+2") are taken, not pairs of .hdr and .img.
struct NIfTIHeader: Equatable {
  /// More voxels than this are refused before memory is allocated.
  static let maximumVoxels = 1 << 31
  /// Enough for the header and all extensions that are worth carrying.
  static let maximumVoxelOffset = 1 << 26

  var version = 1
  /// Columns, rows, slices, volumes.
  var dim = [1, 1, 1, 1]
  var datatype = NIfTIDatatype.uint8
  /// Where the voxels begin in the decompressed file.
  var voxelOffset = 352
  /// `value = slope × stored + intercept`; 1 and 0 where the header asks for no scaling.
  var slope = 1.0
  var intercept = 0.0
  var hasQform = false
  var hasSform = false

  /// Bytes of all voxels.
  var voxelBytes: Int { dim.reduce(datatype.size, *) }

  /// - Parameters:
  ///   - bytes: the decompressed start of the file, 540 bytes where it is that long.
  ///   - path: named in errors.
  init(_ bytes: [UInt8], path: String) throws(NIfTIError) {
    let reader = FieldReader(try Self.fields(bytes, path: path), path: path)
    version = reader.version
    dim = try reader.dimensions()
    datatype = try reader.datatype()
    voxelOffset = try reader.voxelOffset()
    (slope, intercept) = try reader.scaling()
    try reader.checkUnits()
    hasSform = try reader.hasSform()
    hasQform = try reader.hasQform(isUsed: !hasSform)
    guard hasQform || hasSform else { throw .noOrientation(path: path) }
  }

  /// Finds version and byte order.
  private static func fields(_ bytes: [UInt8], path: String) throws(NIfTIError) -> HeaderBytes {
    guard bytes.count >= 348 else {
      throw .notNIfTI(
        path: path, reason: "it has only \(counted(bytes.count, "byte")), a header has 348")
    }
    if bytes[0] == 0x1f, bytes[1] == 0x8b {
      throw .notNIfTI(
        path: path, reason: "it is compressed by gzip; such a file's name must end in .gz")
    }
    for isLittleEndian in [true, false] {
      let fields = HeaderBytes(bytes: bytes, isLittleEndian: isLittleEndian)
      switch fields.int32(0) {
      case 348:
        let magic = Array(bytes[344..<348])
        guard magic == Array("n+1\0".utf8) else {
          let isPair = magic == Array("ni1\0".utf8)
          throw .notNIfTI(
            path: path,
            reason: isPair
              ? "it is the header of a pair of .hdr and .img" : "the header field magic is not n+1")
        }
        return fields
      case 540:
        guard bytes.count >= 540 else {
          throw .notNIfTI(path: path, reason: "it has only \(counted(bytes.count, "byte")) of 540")
        }
        guard Array(bytes[4..<12]) == Array("n+2\0\r\n\u{1a}\n".utf8) else {
          throw .notNIfTI(path: path, reason: "the header field magic is not n+2")
        }
        return fields
      default: continue
      }
    }
    throw .notNIfTI(path: path, reason: "the header field sizeof_hdr is neither 348 nor 540")
  }
}

/// Reads single fields at the places of either version.
private struct FieldReader {
  let fields: HeaderBytes
  let path: String
  let version: Int

  init(_ fields: HeaderBytes, path: String) {
    self.fields = fields
    self.path = path
    version = fields.int32(0) == 348 ? 1 : 2
  }

  private func wrong(_ name: String, _ value: Any, _ reason: String) -> NIfTIError {
    .field(path: path, name: name, value: "\(value)", reason: reason)
  }

  private func number(_ offset1: Int, _ offset2: Int) -> Double {
    version == 1 ? fields.float(offset1) : fields.double(offset2)
  }

  func dimensions() throws(NIfTIError) -> [Int] {
    let dim = (0..<8).map { version == 1 ? fields.int16(40 + 2 * $0) : fields.int64(16 + 8 * $0) }
    guard (1...7).contains(dim[0]) else { throw wrong("dim[0]", dim[0], "it is not from 1 to 7") }
    var shape = [1, 1, 1, 1]
    var count = 1
    for axis in 1...dim[0] {
      guard dim[axis] >= 1 else { throw wrong("dim[\(axis)]", dim[axis], "it is not positive") }
      let (product, overflow) = count.multipliedReportingOverflow(by: dim[axis])
      guard !overflow, product <= NIfTIHeader.maximumVoxels else {
        throw wrong(
          "dim[\(axis)]", dim[axis], "more than \(NIfTIHeader.maximumVoxels) voxels are not taken")
      }
      count = product
      if axis <= 4 {
        shape[axis - 1] = dim[axis]
      } else if dim[axis] != 1 {
        throw wrong("dim[\(axis)]", dim[axis], "only three dimensions and a fourth are understood")
      }
    }
    return shape
  }

  func datatype() throws(NIfTIError) -> NIfTIDatatype {
    let code = version == 1 ? fields.int16(70) : fields.int16(12)
    guard let datatype = NIfTIDatatype(rawValue: code) else {
      throw wrong("datatype", code, "it is not a real number of up to 8 bytes")
    }
    let bits = version == 1 ? fields.int16(72) : fields.int16(14)
    guard bits == 8 * datatype.size else {
      throw wrong("bitpix", bits, "datatype \(code) has \(8 * datatype.size)")
    }
    return datatype
  }

  func voxelOffset() throws(NIfTIError) -> Int {
    let least = version == 1 ? 352 : 544
    let offset = version == 1 ? fields.float(108) : Double(fields.int64(168))
    // 0 means "right after the header" in files of some writers.
    if offset == 0 { return least }
    guard offset.isFinite, offset == offset.rounded(), offset >= Double(least),
      offset <= Double(NIfTIHeader.maximumVoxelOffset)
    else {
      throw wrong(
        "vox_offset", offset,
        "it is not a whole number from \(least) to \(NIfTIHeader.maximumVoxelOffset)")
    }
    return Int(offset)
  }

  func scaling() throws(NIfTIError) -> (slope: Double, intercept: Double) {
    let slope = number(112, 176)
    let intercept = number(116, 184)
    // No scaling: a slope of 0 by the standard, one that is not a number by custom (nibabel).
    if slope == 0 || slope.isNaN { return (1, 0) }
    guard slope.isFinite else { throw wrong("scl_slope", slope, "it is not finite") }
    guard intercept.isFinite else { throw wrong("scl_inter", intercept, "it is not finite") }
    return (slope, intercept)
  }

  func checkUnits() throws(NIfTIError) {
    let units = (version == 1 ? Int(fields.bytes[123]) : fields.int32(500)) & 7
    guard units == 0 || units == 2 else {
      throw wrong("xyzt_units", units, "lengths must be in millimetres (2) or not stated (0)")
    }
  }

  func hasSform() throws(NIfTIError) -> Bool {
    let code = version == 1 ? fields.int16(254) : fields.int32(348)
    guard code > 0 else { return false }
    for row in 0..<3 {
      for column in 0..<4 {
        let value = number(280 + 16 * row + 4 * column, 400 + 32 * row + 8 * column)
        guard value.isFinite, abs(value) < 1e6 else {
          throw wrong("srow_\(["x", "y", "z"][row])[\(column)]", value, "it is no usable number")
        }
      }
    }
    return true
  }

  /// - Parameter isUsed: whether the geometry comes from the qform.
  func hasQform(isUsed: Bool) throws(NIfTIError) -> Bool {
    let code = version == 1 ? fields.int16(252) : fields.int32(344)
    guard code > 0 else { return false }
    let quaternion = ["quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"]
    for (index, name) in quaternion.enumerated() {
      let value = number(256 + 4 * index, 352 + 8 * index)
      guard value.isFinite, abs(value) < 1e6 else {
        throw wrong(name, value, "it is no usable number")
      }
    }
    let squares = (0..<3).map { number(256 + 4 * $0, 352 + 8 * $0) }.map { $0 * $0 }.reduce(0, +)
    guard squares <= 1 + 1e-5 else {
      throw wrong("quatern_b, c, d", squares.squareRoot(), "the quaternion is longer than 1")
    }
    for axis in 1...3 where isUsed {
      let step = number(76 + 4 * axis, 80 + 8 * axis)
      guard step.isFinite, step > 0, step < 1e6 else {
        throw wrong("pixdim[\(axis)]", step, "a voxel's size must be positive")
      }
    }
    return true
  }
}
