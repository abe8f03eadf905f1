import CCodecs
import CDCMTK
import Foundation
import Wording

/// Decodes the frames of one file into stored values.
struct FrameDecoder {
  /// Most pixels a frame may have.
  static let maximumPixels = 1 << 26

  let file: DICOMFile
  /// From stored values to modality units, where a table says so.
  let modalityLUT: ModalityLUT?
  private let bytes: Data
  private let rows: Int
  private let columns: Int
  private let bytesPerSample: Int
  private let bitsStored: Int
  /// Bits below the stored ones (PS3.5 8.1.1): not 0 in files of the old standard.
  private let lowBits: Int
  private let isSigned: Bool
  private let frames: Int
  private let fragments: [[Range<Int>]]

  /// Reads the file again and checks that its pixels are of a kind that is decoded.
  init(path: String) throws(DICOMError) {
    let bytes = try DICOMFile.load(path)
    let file = try DICOMFile(path: path, bytes: bytes)
    let integer = { (tag: Tag) throws(DICOMError) -> Int in
      guard let value = file.dataset.integer(tag) else {
        throw DICOMError.missingAttribute(file: path, tag: tag)
      }
      return value
    }
    rows = try integer(.rows)
    columns = try integer(.columns)
    bitsStored = try integer(.bitsStored)
    let highBit = try integer(.highBit)
    lowBits = highBit + 1 - bitsStored
    isSigned = try integer(.pixelRepresentation) == 1
    frames = try file.frameCount()
    let allocated = try integer(.bitsAllocated)
    bytesPerSample = allocated / 8
    self.file = file
    self.bytes = bytes
    let refused: String? =
      if file.dataset.integer(.samplesPerPixel) ?? 1 != 1 {
        "more than one sample per pixel"
      } else if !["MONOCHROME1", "MONOCHROME2"].contains(
        file.dataset.text(.photometricInterpretation) ?? "")
      {
        "photometric interpretation is not MONOCHROME1 or MONOCHROME2"
      } else if ![8, 16].contains(allocated) {
        "\(counted(allocated, "bit")) allocated"
      } else if !(1...allocated).contains(bitsStored) {
        "\(counted(bitsStored, "bit")) stored of \(allocated)"
      } else if !(bitsStored - 1..<allocated).contains(highBit) {
        "high bit \(highBit) with \(counted(bitsStored, "bit")) stored of \(allocated)"
      } else if !(1...65_535).contains(rows) || !(1...65_535).contains(columns)
        || rows * columns > Self.maximumPixels
      {
        "\(counted(rows, "row")) and \(counted(columns, "column"))"
      } else {
        nil
      }
    if let refused { throw .unsupportedPixels(file: path, reason: refused) }
    modalityLUT = try ModalityLUT(file)
    fragments = try Self.fragments(of: file, bytes: bytes, frames: frames)
  }

  private static func fragments(
    of file: DICOMFile, bytes: Data, frames: Int
  ) throws(DICOMError) -> [[Range<Int>]] {
    guard let pixelData = file.structure.pixelData else {
      throw .missingAttribute(file: file.path, tag: .pixelData)
    }
    guard pixelData.native == nil else { return [] }
    let assigned: Result<[[Range<Int>]], DecodingFailure> = bytes.withUnsafeBytes { raw in
      Result { () throws(DecodingFailure) in
        try FrameFragments.assign(
          pixelData, frames: frames, coding: file.transferSyntax.coding,
          extendedOffsetTable: file.dataset.bytes(.extendedOffsetTable) ?? [], bytes: raw)
      }
    }
    switch assigned {
    case .success(let fragments): return fragments
    case .failure(let failure):
      throw .damagedPixels(file: file.path, frame: 1, reason: failure.reason)
    }
  }

  /// Stored values of a frame in row order: masked to the stored bits and sign-extended.
  ///
  /// - Parameter number: from 1.
  func storedValues(frame number: Int) throws(DICOMError) -> [Int32] {
    do throws(DecodingFailure) {
      guard (1...frames).contains(number) else {
        throw "the file has \(counted(frames, "frame"))"
      }
      if file.structure.pixelData?.native != nil {
        return stored(try nativeSamples(number), bytesPerSample: bytesPerSample)
      }
      let code = codestream(number)
      switch file.transferSyntax.coding {
      case .jpeg2000: return try jpeg2000Values(code)
      case .jpeg, .jpegLS: return try jpegValues(code)
      case .runLength:
        let samples = code.withUnsafeBytes {
          RunLengthDecoder.decode($0, pixels: rows * columns, bytesPerSample: bytesPerSample)
        }
        return stored(try samples.get(), bytesPerSample: bytesPerSample)
      case .none: throw "native pixel data is encapsulated"
      }
    } catch {
      throw .damagedPixels(file: file.path, frame: number, reason: error.reason)
    }
  }

  // MARK: Codings

  /// Little-endian samples of a frame of native pixel data.
  private func nativeSamples(_ number: Int) throws(DecodingFailure) -> [UInt8] {
    guard let pixelData = file.structure.pixelData, let value = pixelData.native else { return [] }
    let frameLength = rows * columns * bytesPerSample
    let (expected, overflow) = frameLength.multipliedReportingOverflow(by: frames)
    guard !overflow, value.count == expected + expected % 2 else {
      let stated = file.structure.contradictedUID.map {
        ", and \(Tag.transferSyntaxUID) is \($0)"
      }
      throw
        "\(counted(value.count, "byte")) of pixel data where \(counted(expected, "is", "are")) due\(stated ?? "")"
    }
    let start = value.lowerBound + (number - 1) * frameLength
    // In big endian files OW is stored as swapped 16-bit words, whatever a sample is.
    guard file.transferSyntax.isBigEndian, pixelData.vr == "OW" else {
      return Array(bytes[start..<start + frameLength])
    }
    return (0..<frameLength).map { index in
      bytes[value.lowerBound + ((start - value.lowerBound + index) ^ 1)]
    }
  }

  private func codestream(_ number: Int) -> Data {
    fragments[number - 1].reduce(into: Data()) { $0.append(bytes[$1]) }
  }

  private func jpegValues(_ code: Data) throws(DecodingFailure) -> [Int32] {
    let isJPEGLS = file.transferSyntax.coding == .jpegLS
    let parsed: Result<JPEGHeader, DecodingFailure> = code.withUnsafeBytes { raw in
      Result { () throws(DecodingFailure) in try JPEGHeader(raw, isJPEGLS: isJPEGLS) }
    }
    let header = try parsed.get()
    guard header.rows == rows, header.columns == columns, header.components == 1 else {
      throw "codestream is \(header.rows) x \(header.columns), the image \(rows) x \(columns)"
    }
    guard (2...16).contains(header.precision),
      !isSigned || header.precision >= bitsStored || file.transferSyntax.coding == .jpegLS
    else {
      throw
        "codestream has \(counted(header.precision, "bit")), \(counted(bitsStored, "is", "are")) stored"
    }
    try checkAlignment(precision: header.precision)
    let width = header.precision > 8 ? 2 : 1
    var samples = [UInt8](repeating: 0, count: rows * columns * width)
    var error = cdcmtk_error()
    let status = code.withUnsafeBytes { raw in
      cdcmtk_decode_jpeg(
        file.transferSyntax.rawValue, raw.baseAddress?.assumingMemoryBound(to: UInt8.self),
        raw.count, UInt16(rows), UInt16(columns), UInt16(header.precision), &samples,
        samples.count, &error)
    }
    guard status == CDCMTK_OK.code else { throw DecodingFailure(stringLiteral: error.text) }
    return stored(samples, bytesPerSample: width)
  }

  private func jpeg2000Values(_ code: Data) throws(DecodingFailure) -> [Int32] {
    // OpenJPEG stops at the end of the first. A start of codestream with its size segment occurs
    // in no coded data (ITU-T T.800 B.10.1).
    let start = Data([0xFF, 0x4F, 0xFF, 0x51])
    if let first = code.range(of: start), code[first.upperBound...].range(of: start) != nil {
      throw "another codestream follows the first"
    }
    var values = [Int32](repeating: 0, count: rows * columns)
    var precision: UInt32 = 0
    var codestreamSigned: Int32 = 0
    var error = ccodecs_error()
    let status = code.withUnsafeBytes { raw in
      ccodecs_decode_jpeg2000(
        raw.baseAddress?.assumingMemoryBound(to: UInt8.self), raw.count, UInt32(rows),
        UInt32(columns), &values, &precision, &codestreamSigned, &error)
    }
    guard status == CCODECS_OK.code else { throw DecodingFailure(stringLiteral: error.text) }
    guard precision <= 8 * bytesPerSample else {
      throw "codestream has \(precision) bits, \(8 * bytesPerSample) are allocated"
    }
    try checkAlignment(precision: Int(precision))
    // Where the codestream's sign differs from the dataset's, the bits count at its precision.
    let bits = (codestreamSigned != 0) == isSigned ? bitsStored : min(Int(precision), bitsStored)
    return values.map { extended(UInt32(bitPattern: $0), bits: bits) }
  }

  /// A codestream of fewer bits than the high bit asks for holds the values at an unknown place.
  private func checkAlignment(precision: Int) throws(DecodingFailure) {
    guard lowBits == 0 || precision >= bitsStored + lowBits else {
      throw "codestream has \(precision) bits, the high bit is \(bitsStored + lowBits - 1)"
    }
  }

  // MARK: Stored values

  private func stored(_ samples: [UInt8], bytesPerSample: Int) -> [Int32] {
    samples.withUnsafeBytes { raw in
      (0..<raw.count / bytesPerSample).map { index in
        let sample =
          bytesPerSample == 1
          ? UInt32(raw[index])
          : UInt32(raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self).littleEndian)
        return extended(sample, bits: bitsStored)
      }
    }
  }

  /// The stored bits of a sample, sign-extended where pixels are signed. Bits above and below may
  /// hold overlays.
  private func extended(_ sample: UInt32, bits: Int) -> Int32 {
    let shift = UInt32(32 - bits)
    let aligned = (sample >> UInt32(lowBits)) << shift
    return isSigned ? Int32(bitPattern: aligned) >> Int32(shift) : Int32(aligned >> shift)
  }
}
