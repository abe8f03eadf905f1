import Wording

/// Which fragments of encapsulated pixel data belong to which frame (PS3.5 A.4).
enum FrameFragments {
  /// The fragments of each frame, in order.
  ///
  /// One fragment per frame and one frame for all fragments need no table. Otherwise the basic or
  /// the extended offset table tells, and without them the signature that each codestream begins
  /// with. More codestreams than frames are refused: what is left over would be lost silently.
  ///
  /// - Parameters:
  ///   - pixelData: the items of the encapsulated pixel data and its basic offset table.
  ///   - frames: how many frames the image has.
  ///   - coding: how the frames are compressed.
  ///   - extendedOffsetTable: the value of (7FE0,0001), 8 bytes an offset.
  ///   - bytes: the whole file.
  static func assign(
    _ pixelData: PixelDataLocation, frames: Int, coding: TransferSyntax.Coding,
    extendedOffsetTable: [UInt8], bytes: UnsafeRawBufferPointer
  ) throws(DecodingFailure) -> [[Range<Int>]] {
    let fragments = pixelData.fragments
    guard fragments.count >= frames else {
      throw "\(counted(fragments.count, "fragment")) for \(counted(frames, "frame"))"
    }
    let codestreams = fragments.indices.filter { beginsFrame(bytes[fragments[$0]], coding) }
    guard codestreams.count <= frames else {
      throw "\(counted(codestreams.count, "codestream")) for \(counted(frames, "frame"))"
    }
    if frames == 1 {
      guard coding != .runLength || fragments.count == 1 else {
        throw "\(counted(fragments.count, "fragment")) for 1 frame"
      }
      return [fragments]
    }
    if fragments.count == frames { return fragments.map { [$0] } }
    let offsets = offsets(pixelData, extendedOffsetTable: extendedOffsetTable, bytes: bytes)
    let starts = offsets.isEmpty ? codestreams : starts(pixelData, at: offsets)
    guard starts.count == frames, starts.first == 0 else {
      throw
        "\(counted(fragments.count, "fragment")) cannot be assigned to \(counted(frames, "frame"))"
    }
    return starts.indices.map { index in
      let end = index + 1 < starts.count ? starts[index + 1] : fragments.count
      return Array(fragments[starts[index]..<end])
    }
  }

  /// Where each frame begins, from the item tag of the first fragment: of the basic offset table, or
  /// else of the extended one (PS3.5 A.4).
  private static func offsets(
    _ pixelData: PixelDataLocation, extendedOffsetTable: [UInt8],
    bytes: UnsafeRawBufferPointer
  ) -> [Int] {
    let table = pixelData.offsetTable
    guard table.isEmpty else {
      return stride(from: table.lowerBound, to: table.upperBound - 3, by: 4).map {
        Int(bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self).littleEndian)
      }
    }
    return extendedOffsetTable.withUnsafeBytes { raw in
      stride(from: 0, to: raw.count - 7, by: 8).map {
        Int(
          truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: $0, as: UInt64.self).littleEndian)
      }
    }
  }

  /// Indices of the fragments that begin at the offsets; fewer where these are wrong.
  private static func starts(_ pixelData: PixelDataLocation, at offsets: [Int]) -> [Int] {
    // Offsets count from the item tag of the first fragment, eight bytes before its value.
    let origin = pixelData.fragments[0].lowerBound
    var indexByOffset: [Int: Int] = [:]
    for (index, fragment) in pixelData.fragments.enumerated() {
      indexByOffset[fragment.lowerBound - origin] = index
    }
    let starts = offsets.compactMap { indexByOffset[$0] }
    return zip(starts, starts.dropFirst()).allSatisfy(<) ? starts : []
  }

  private static func beginsFrame(
    _ fragment: Slice<UnsafeRawBufferPointer>, _ coding: TransferSyntax.Coding
  ) -> Bool {
    switch coding {
    case .jpeg, .jpegLS: fragment.starts(with: [0xFF, 0xD8, 0xFF])
    case .jpeg2000:
      fragment.starts(with: [0xFF, 0x4F, 0xFF, 0x51])
        || fragment.starts(with: [0, 0, 0, 12, 0x6A, 0x50])
    // RLE and native frames have no fragments to join.
    case .runLength, .none: false
    }
  }
}
