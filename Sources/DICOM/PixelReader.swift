import Cryptography
import FileSystem
import Synchronization
import Volumes

/// Reads the voxels of a stack of slices.
///
/// ```swift
/// let files = SourceSeries.files(of: stack)
/// let volume = try PixelReader.read(stack) { files[$0] }  // Hounsfield units for CT
/// ```
public enum PixelReader {
  /// The volume of a stack in modality units: Hounsfield units for CT, rescaled values otherwise;
  /// kept as 16-bit whole numbers where all of them are such.
  ///
  /// Each slice has its own rescale slope and intercept, or table (PS3.3 C.11.1). Padding (PS3.3
  /// C.7.5.1.1.2) becomes air: -1024 for CT, else 0. MONOCHROME1 is a matter of display and never
  /// inverts values. Real World Value Mapping (0040,9096) and Philips' private scale slope
  /// (2005,xx0E) are for other units and are not applied.
  ///
  /// - Parameters:
  ///   - stack: frames in the order of its grid.
  ///   - fileOf: path of the file that holds an instance, by SOP Instance UID.
  /// - Throws: ``DICOMError`` where a frame cannot be decoded to exactly its size, does not belong
  ///   to the stack, or its values have no known unit.
  public static func read(
    _ stack: SliceStack, fileOf: (String) -> String?
  ) throws(DICOMError) -> Volume {
    let grid = stack.sourceGrid
    let paths = stack.frames.map { fileOf($0.sopInstanceUID) }
    // Each worker decodes a share of the frames; the first error in their order is thrown.
    let shares = Mutex<[Int: Result<VoxelCollector, DICOMError>]>([:])
    inParallel(stack.frames.count, worthwhile: grid.voxelCount > 100_000) { share in
      let result = Result { () throws(DICOMError) in
        try Self.voxels(of: stack.frames[share], paths[share], on: grid)
      }
      shares.withLock { $0[share.lowerBound] = result }
    }
    var voxels = VoxelCollector(capacity: grid.voxelCount)
    for start in shares.withLock({ $0.keys.sorted() }) {
      // Taken out, so that each share is gone once it was copied.
      let share = shares.withLock { $0.removeValue(forKey: start) }
      if let share { voxels.append(try share.get()) }
    }
    return Volume(grid: grid, storage: voxels.storage)
  }

  /// - Parameter paths: of the frames' files.
  private static func voxels(
    of frames: ArraySlice<ImageFrame>, _ paths: ArraySlice<String?>, on grid: VolumeGrid
  ) throws(DICOMError) -> VoxelCollector {
    let frameSize = grid.rows * grid.columns
    var voxels = VoxelCollector(capacity: frames.count * frameSize)
    var decoder: FrameDecoder?
    var framesOfFile: [ImageFrame] = []
    var mosaic: [Int32] = []
    for (frame, path) in zip(frames, paths) {
      guard let path else { throw .noFile(sopInstanceUID: frame.sopInstanceUID) }
      if decoder?.file.path != path {
        decoder = try FrameDecoder(path: path)
        framesOfFile = try decoder?.file.imageFrames() ?? []
        mosaic = []
      }
      guard let decoder else { continue }
      try check(framesOfFile, of: path, hold: frame, of: grid)
      let values: [Int32]
      if let tile = frame.mosaicTile {
        // Decoded once for all its tiles.
        if mosaic.isEmpty { mosaic = try decoder.storedValues(frame: 1) }
        values = cut(tile, rows: frame.rows, columns: frame.columns, from: mosaic)
      } else {
        values = try decoder.storedValues(frame: frame.frameNumber ?? 1)
      }
      guard values.count == frameSize else {
        throw .damagedPixels(
          file: path, frame: frame.frameNumber ?? 1,
          reason: "\(values.count) pixels where \(frameSize) are due")
      }
      try append(values, of: frame, decoder, to: &voxels)
    }
    return voxels
  }

  /// SHA-256 of an image's stored values as 64 hexadecimal digits: equal for the same pixels in
  /// whatever transfer syntax.
  ///
  /// - Throws: ``DICOMError`` where they cannot be decoded.
  public static func digest(of frame: ImageFrame) throws(DICOMError) -> String {
    let decoder = try FrameDecoder(path: frame.file)
    var values = try decoder.storedValues(frame: frame.frameNumber ?? 1)
    if let tile = frame.mosaicTile {
      values = cut(tile, rows: frame.rows, columns: frame.columns, from: values)
    }
    return values.withUnsafeBytes { bytes in
      var hash = SHA256()
      hash.update(bufferPointer: bytes)
      return hexadecimal(hash.finalize())
    }
  }

  /// The pixels of one tile; nothing where the mosaic is not as large as it should be.
  private static func cut(
    _ tile: MosaicTile, rows: Int, columns: Int, from mosaic: [Int32]
  ) -> [Int32] {
    guard mosaic.count == tile.mosaicRows * tile.mosaicColumns,
      tile.row + rows <= tile.mosaicRows, tile.column + columns <= tile.mosaicColumns
    else { return [] }
    return (tile.row..<tile.row + rows).flatMap { row in
      let start = row * tile.mosaicColumns + tile.column
      return mosaic[start..<start + columns]
    }
  }

  /// The file must still be what the frame was read from.
  private static func check(
    _ framesOfFile: [ImageFrame], of path: String, hold frame: ImageFrame, of grid: VolumeGrid
  ) throws(DICOMError) {
    let index = frame.mosaicTile?.index ?? (frame.frameNumber ?? 1) - 1
    guard framesOfFile.indices.contains(index), framesOfFile[index] == frame else {
      throw .invalidAttribute(
        file: path, tag: .sopInstanceUID, value: "not the image that was assessed")
    }
    guard frame.rows == grid.rows, frame.columns == grid.columns else {
      throw .invalidAttribute(
        file: path, tag: .rows,
        value: "\(frame.rows) x \(frame.columns), the volume has \(grid.rows) x \(grid.columns)")
    }
  }

  private static func append(
    _ values: [Int32], of frame: ImageFrame, _ decoder: FrameDecoder,
    to voxels: inout VoxelCollector
  ) throws(DICOMError) {
    let file = decoder.file.path
    let isCT = frame.modality == "CT"
    let table = decoder.modalityLUT
    if isCT {
      guard frame.rescaleIntercept != nil || table != nil else {
        throw .missingAttribute(file: file, tag: .rescaleIntercept)
      }
      let type = frame.rescaleType ?? ""
      guard ["", "HU", "US"].contains(type) else {
        throw .invalidAttribute(file: file, tag: .rescaleType, value: type)
      }
    }
    let slope = frame.rescaleSlope ?? 1
    guard slope != 0 else { throw .invalidAttribute(file: file, tag: .rescaleSlope, value: "0") }
    let intercept = frame.rescaleIntercept ?? 0
    // Sixteen stored bits must stay numbers.
    guard Float(65_536 * abs(slope) + abs(intercept)).isFinite else {
      throw .invalidAttribute(file: file, tag: .rescaleSlope, value: "\(slope)")
    }
    let air: Float = isCT ? -1024 : 0
    let padding = paddingRange(frame)
    voxels.append(values) { value in
      let isPadding = padding?.contains(Int(value)) ?? false
      if isPadding { return air }
      return table?.value(value) ?? Float(Double(value) * slope + intercept)
    }
  }

  /// Stored values that are no measurement.
  private static func paddingRange(_ frame: ImageFrame) -> ClosedRange<Int>? {
    guard let value = frame.pixelPaddingValue else { return nil }
    let limit = frame.pixelPaddingRangeLimit ?? value
    return min(value, limit)...max(value, limit)
  }
}

/// Gathers voxels as 16-bit whole numbers for as long as they are such, then as floats.
private struct VoxelCollector {
  private let capacity: Int
  private var whole: [Int16] = []
  private var floats: [Float] = []
  private var isWhole = true

  init(capacity: Int) {
    self.capacity = capacity
    whole.reserveCapacity(capacity)
  }

  var storage: VoxelStorage { isWhole ? .int16(whole) : .float(floats) }

  mutating func append(_ values: [Int32], rescaled: (Int32) -> Float) {
    for value in values {
      let result = rescaled(value)
      if isWhole {
        if let number = Int16(exactly: result) {
          whole.append(number)
          continue
        }
        useFloats()
      }
      floats.append(result)
    }
  }

  /// Takes over what another one gathered.
  mutating func append(_ other: VoxelCollector) {
    if isWhole, other.isWhole {
      whole += other.whole
      return
    }
    if isWhole { useFloats() }
    if other.isWhole {
      floats += other.whole.lazy.map { Float($0) }
    } else {
      floats += other.floats
    }
  }

  private mutating func useFloats() {
    isWhole = false
    floats.reserveCapacity(capacity)
    floats += whole.lazy.map { Float($0) }
    whole = []
  }
}
