import Wording

/// A table from stored values to modality units (PS3.3 C.11.1.1), which replaces slope
/// and intercept.
struct ModalityLUT {
  /// The stored value of the first entry; smaller ones take it too.
  private let first: Int
  /// Larger stored values take the last.
  private let entries: [Float]

  /// The table of a file; nil where it has none.
  ///
  /// - Throws: ``DICOMError/invalidAttribute(file:tag:value:)`` where it is not well defined, or
  ///   where a slope is given as well.
  init?(_ file: DICOMFile) throws(DICOMError) {
    let items = file.dataset.items(.modalityLUTSequence)
    guard let item = items.first else { return nil }
    func invalid(_ tag: Tag, _ value: String) -> DICOMError {
      .invalidAttribute(file: file.path, tag: tag, value: value)
    }
    guard items.count == 1 else {
      throw invalid(.modalityLUTSequence, "\(counted(items.count, "item"))")
    }
    // Exactly one of the two may be there (PS3.3 C.11.1).
    if let slope = file.dataset.text(.rescaleSlope), !slope.isEmpty {
      throw invalid(.modalityLUTSequence, "a table and also Rescale Slope \(slope)")
    }
    let descriptor = item.integers(.lutDescriptor)
    guard descriptor.count == 3, (0...65_536).contains(descriptor[0]),
      [8, 16].contains(descriptor[2])
    else {
      throw invalid(.lutDescriptor, descriptor.map { "\($0)" }.joined(separator: "\\"))
    }
    // 0 means 65536, which does not fit in sixteen bits.
    let count = descriptor[0] == 0 ? 65_536 : descriptor[0]
    let word = UInt16(truncatingIfNeeded: descriptor[1])
    let isSigned = file.dataset.integer(.pixelRepresentation) == 1
    first = isSigned ? Int(Int16(bitPattern: word)) : Int(word)
    let words = Self.words(item, count: count)
    guard words.count == count else {
      throw invalid(
        .lutData,
        "\(counted(words.count, "entry", "entries")) where \(counted(count, "is", "are")) due")
    }
    let most = descriptor[2] == 8 ? 255 : 65_535
    guard words.allSatisfy({ (0...most).contains($0) }) else {
      throw invalid(.lutData, "an entry of more than \(descriptor[2]) bits")
    }
    entries = words.map { Float($0) }
  }

  /// Entries as US, or as OW, or two in a word where they are bytes.
  private static func words(_ item: Dataset, count: Int) -> [Int] {
    let integers = item.integers(.lutData)
    if !integers.isEmpty { return integers.map { $0 & 0xFFFF } }
    let bytes = item.bytes(.lutData) ?? []
    if bytes.count == count + count % 2 { return bytes.prefix(count).map(Int.init) }
    return stride(from: 0, to: bytes.count - 1, by: 2).map {
      Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8
    }
  }

  func value(_ stored: Int32) -> Float {
    entries[min(max(Int(stored) - first, 0), entries.count - 1)]
  }
}
