/// Which fragments of encapsulated pixel data belong to which frame (PS3.5 A.4).
enum FrameFragments {
  /// The fragments of each frame, in order.
  ///
  /// One fragment per frame and one frame for all fragments need no table. Otherwise the basic
  /// offset table tells, and without it the signature that each codestream begins with.
  static func assign(
    _ pixelData: FileStructure.PixelData, frames: Int, coding: TransferSyntax.Coding,
    bytes: UnsafeRawBufferPointer
  ) throws(DecodingFailure) -> [[Range<Int>]] {
    let fragments = pixelData.fragments
    guard fragments.count >= frames else {
      throw "\(fragments.count) fragments for \(frames) frames"
    }
    if frames == 1 { return [fragments] }
    if fragments.count == frames { return fragments.map { [$0] } }
    let starts =
      pixelData.offsetTable.isEmpty
      ? fragments.indices.filter { beginsFrame(bytes[fragments[$0]], coding) }
      : startsByOffsetTable(pixelData, bytes: bytes)
    guard starts.count == frames, starts.first == 0 else {
      throw "\(fragments.count) fragments cannot be assigned to \(frames) frames"
    }
    return starts.indices.map { index in
      let end = index + 1 < starts.count ? starts[index + 1] : fragments.count
      return Array(fragments[starts[index]..<end])
    }
  }

  /// Indices of the fragments that the basic offset table names; fewer where it is wrong.
  private static func startsByOffsetTable(
    _ pixelData: FileStructure.PixelData, bytes: UnsafeRawBufferPointer
  ) -> [Int] {
    // Offsets count from the item tag of the first fragment, eight bytes before its value.
    let origin = pixelData.fragments[0].lowerBound
    var indexByOffset: [Int: Int] = [:]
    for (index, fragment) in pixelData.fragments.enumerated() {
      indexByOffset[fragment.lowerBound - origin] = index
    }
    let table = pixelData.offsetTable
    let starts = stride(from: table.lowerBound, to: table.upperBound - 3, by: 4).compactMap {
      indexByOffset[Int(bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self).littleEndian)]
    }
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
