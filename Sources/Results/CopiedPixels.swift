import DICOM

extension StreamedPixelData {
  /// Pixels of another file, read part by part while they are written.
  ///
  /// - Throws: `DICOMError` where the file cannot be opened.
  init(copying pixels: NativePixels) throws(DICOMError) {
    let reader = try pixels.open()
    let size = 1 << 20
    self.init(count: pixels.count, parts: (pixels.count + size - 1) / size) { part in
      // Where it cannot be read the file becomes too short, which writing it finds.
      (try? reader.read(part * size..<min(pixels.count, (part + 1) * size))).map(Array.init) ?? []
    }
  }
}

extension NativePixels {
  /// - Throws: `DICOMError` where one of the files cannot be read.
  func hasSameBytes(as other: NativePixels) throws(DICOMError) -> Bool {
    guard count == other.count else { return false }
    let (reader, others) = (try open(), try other.open())
    for start in stride(from: 0, to: count, by: 1 << 20) {
      let part = start..<min(start + (1 << 20), count)
      guard try reader.read(part) == others.read(part) else { return false }
    }
    return true
  }
}
