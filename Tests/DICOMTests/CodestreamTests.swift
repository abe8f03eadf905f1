import Foundation
import TestSupport
import Testing

@testable import DICOM

@Suite struct CodestreamTests {
  /// A run-length coded 16-bit frame of two pixels: high bytes by a run, low bytes literally.
  private let runLength: [UInt8] = {
    var code = [UInt8](repeating: 0, count: 64)
    code[0] = 2
    code[4] = 64
    code[8] = 66
    return code + [0xFF, 0x01, 0x01, 0x22, 0x33]
  }()

  private func decode(_ code: [UInt8], pixels: Int = 2) -> Result<[UInt8], DecodingFailure> {
    code.withUnsafeBytes { RunLengthDecoder.decode($0, pixels: pixels, bytesPerSample: 2) }
  }

  @Test func runLengthPlanesAreInterleaved() throws {
    #expect(try decode(runLength).get() == [0x22, 0x01, 0x33, 0x01])
  }

  @Test func runLengthThatIsCutOffOrTooLongIsRefused() {
    for length in 0..<runLength.count {
      #expect(throws: DecodingFailure.self, "\(length)") {
        try decode(Array(runLength.prefix(length))).get()
      }
    }
    #expect(throws: DecodingFailure.self) { try decode(runLength, pixels: 1).get() }
    #expect(throws: DecodingFailure.self) { try decode(runLength, pixels: 3).get() }
  }

  @Test func forbiddenMarkersAreRefused() throws {
    let header: [UInt8] = [
      0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 12, 0, 4, 0, 6, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 1,
      0, 0,
    ]
    let read = { (code: [UInt8]) in
      try code.withUnsafeBytes { try JPEGHeader($0, isJPEGLS: false) }
    }
    let plain = try read(header + [1, 2, 0xFF, 0xD9])
    let stuffed = try read(header + [0xFF, 0, 0xFF, 0xD9, 0])
    #expect(plain == stuffed)
    #expect(plain.precision == 12 && plain.rows == 4 && plain.columns == 6)
    #expect(throws: DecodingFailure.self) { try read(header + [0xFF, 1, 0xFF, 0xD9]) }
    #expect(throws: DecodingFailure.self) { try read(header + [1, 2]) }
    #expect(throws: DecodingFailure.self) { try read([0xFF, 0xD8, 0xFF, 1] + header.dropFirst(2)) }
  }
}
