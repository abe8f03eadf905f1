import Foundation
import TestSupport
import Testing

@testable import DICOM

/// Compressed fragments of odd length, with a zero byte behind them that no length counts, and
/// without.
@Suite struct FragmentTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A run-length coded frame of two 8-bit pixels, in 67 bytes.
  private static func frame(_ first: UInt8, _ second: UInt8) -> [UInt8] {
    [1, 0, 0, 0, 64] + [UInt8](repeating: 0, count: 59) + [1, first, second]
  }

  private func file(_ pads: [Bool], offsets: [Int] = []) throws -> String {
    var elements = ElementBytes(.explicit)
    elements.append(.modality, "CS", "MR")
    elements.append(.samplesPerPixel, words: 1)
    elements.append(.photometricInterpretation, "CS", "MONOCHROME2")
    elements.append(.numberOfFrames, "IS", "\(pads.count)")
    elements.append(.rows, words: 1)
    elements.append(.columns, words: 2)
    elements.append(.bitsAllocated, words: 8)
    elements.append(.bitsStored, words: 8)
    elements.append(.highBit, words: 7)
    elements.append(.pixelRepresentation, words: 0)
    elements.append(.pixelData, "OB", length: ElementBytes.undefined)
    elements.delimiter(0xE000, length: 4 * offsets.count)
    for offset in offsets { elements.append(offset, size: 4) }
    for (index, isPadded) in pads.enumerated() {
      let frame = Self.frame(UInt8(10 + index), UInt8(20 + index))
      elements.delimiter(0xE000, length: frame.count)
      elements.bytes += frame
      if isPadded { elements.append(0, size: 1) }
    }
    elements.delimiter(0xE0DD)
    elements.append(Tag(0xFFFC, 0xFFFC), "OB", [0, 0])
    return try elements.file(in: folder, stating: TransferSyntax.runLength.rawValue)
  }

  @Test(arguments: [
    [true], [false], [true, true, true], [false, false, false], [true, false, true],
  ])
  func everyFrameIsRead(pads: [Bool]) throws {
    let decoder = try FrameDecoder(path: file(pads))
    for index in pads.indices {
      #expect(
        try decoder.storedValues(frame: index + 1) == [Int32(10 + index), Int32(20 + index)])
    }
  }

  @Test func offsetsCountThePadByte() throws {
    let decoder = try FrameDecoder(path: file([true, true], offsets: [0, 76]))
    #expect(try decoder.storedValues(frame: 2) == [11, 21])
  }

  @Test func otherBytesBetweenFragmentsAreRefused() throws {
    let path = try file([true, true])
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // The pad of the second frame, before the delimiter (8 bytes) and the trailing padding (14).
    bytes[bytes.count - 8 - 14 - 1] = 1
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
  }
}
