import Foundation

/// What a file or dataset that cannot be read as a whole still says of which instance it is.
///
/// Cut off, damaged, or in a transfer syntax that is not supported: identifiers come before the
/// pixel data, so that most of them are there. Where an element is coded so badly that nothing
/// behind it can be read in order, Study and Series Instance UID are looked for further on, where one
/// follows the other as in every image.
public struct PartialIdentity: Sendable, Equatable {
  /// Nil where the damage is before it, and where the value is not a UID.
  public var sopClassUID: String?
  public var sopInstanceUID: String?
  public var seriesInstanceUID: String?
  public var studyInstanceUID: String?
  /// Modality (0008,0060).
  public var modality: String?
  public var transferSyntaxUID: String?
  /// Whether the preamble and the letters DICM are there (PS3.10 7.1).
  public var hasPrefix = false

  /// Whether nothing says that this is a DICOM object.
  public var isEmpty: Bool {
    !hasPrefix && sopClassUID == nil && sopInstanceUID == nil && seriesInstanceUID == nil
      && studyInstanceUID == nil
  }

  private static let tags: Set<Tag> = [
    .mediaStorageSOPClassUID, .mediaStorageSOPInstanceUID, .sopClassUID, .sopInstanceUID,
    .studyInstanceUID, .seriesInstanceUID, .modality,
  ]
  /// More than any header before Series Instance UID takes.
  private static let size = 4 << 20

  /// Reads a file (PS3.10) as far as possible; nothing where it cannot be opened.
  public init(ofDamaged path: String) {
    guard let file = FileHandle(forReadingAtPath: path),
      let beginning = try? file.read(upToCount: Self.size)
    else { return }
    try? file.close()
    beginning.withUnsafeBytes { take($0, file: path) }
  }

  /// Reads the beginning of a dataset that came over the network, or of a file with the letters DICM,
  /// which says itself what its transfer syntax is.
  public init(ofDamaged dataset: some DataProtocol, transferSyntaxUID: String) {
    self.transferSyntaxUID = transferSyntaxUID
    Data(dataset).withUnsafeBytes { bytes in
      hasPrefix = Self.hasPrefix(bytes)
      if hasPrefix { return take(bytes, file: "") }
      take(bytes, datasetAt: 0, syntax: TransferSyntax(rawValue: transferSyntaxUID), file: "")
    }
  }

  private static func hasPrefix(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
  }

  private mutating func take(_ bytes: UnsafeRawBufferPointer, file: String) {
    hasPrefix = Self.hasPrefix(bytes)
    var scan = StructureScan(bytes: bytes, file: file)
    scan.sought = Self.tags
    guard let meta = try? scan.metaInformation() else { return take(scan) }
    take(scan)
    transferSyntaxUID = meta.transferSyntaxUID
    take(
      bytes, datasetAt: meta.end, syntax: TransferSyntax(rawValue: meta.transferSyntaxUID),
      file: file)
  }

  private mutating func take(
    _ bytes: UnsafeRawBufferPointer, datasetAt start: Int, syntax: TransferSyntax?, file: String
  ) {
    guard start <= bytes.count else { return }
    var scan = StructureScan(bytes: bytes, file: file)
    scan.sought = Self.tags
    let found = scan.codingOfDataset(at: start)
    if syntax == .deflatedExplicitLittleEndian, found == nil {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      return Inflation.beginning(of: rest, size: Self.size).withUnsafeBytes {
        take($0, datasetAt: 0, syntax: .explicitLittleEndian, file: file)
      }
    }
    // What the bytes show counts, then what was said; syntaxes of compressed pixels have explicit VRs
    // (PS3.5 A.4).
    scan.take(found ?? syntax ?? .explicitLittleEndian)
    _ = try? scan.elements(from: start, to: bytes.count, depth: 0, delimited: false)
    take(scan)
    guard seriesInstanceUID == nil else { return }
    if let found = Self.adjacentUIDs(in: scan, from: start) {
      (studyInstanceUID, seriesInstanceUID) = found
    }
  }

  private mutating func take(_ scan: StructureScan) {
    func uid(_ tags: Tag...) -> String? {
      tags.lazy.compactMap { scan.soughtValues[$0] }.compactMap { Self.uid(scan.bytes[$0]) }.first
    }
    sopClassUID = uid(.sopClassUID, .mediaStorageSOPClassUID) ?? sopClassUID
    sopInstanceUID = uid(.sopInstanceUID, .mediaStorageSOPInstanceUID) ?? sopInstanceUID
    studyInstanceUID = uid(.studyInstanceUID) ?? studyInstanceUID
    seriesInstanceUID = uid(.seriesInstanceUID) ?? seriesInstanceUID
    modality = scan.soughtValues[.modality].flatMap { Self.codeString(scan.bytes[$0]) } ?? modality
  }

  private static func uid(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
    guard bytes.count <= 64 else { return nil }
    let text = String(decoding: bytes.filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    return DICOMUID.isValid(text) ? text : nil
  }

  /// A code string (PS3.5 6.2) and nothing else.
  private static func codeString(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
    let text = String(decoding: bytes.filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    let isCode = text.utf8.allSatisfy {
      (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
    }
    return isCode && (1...16).contains(text.utf8.count) ? text : nil
  }

  /// Study and Series Instance UID, one behind the other, in the coding of a scan. In the dataset
  /// itself Study ID or another element of the group follows; in an item of a sequence such as Related
  /// Series (0008,1250), which names another series, none does.
  private static func adjacentUIDs(in scan: StructureScan, from start: Int) -> (String, String)? {
    let head: [UInt8] = scan.isBigEndian ? [0x00, 0x20, 0x00, 0x0D] : [0x20, 0x00, 0x0D, 0x00]
    let bytes = scan.bytes
    var offset = start
    while offset + 8 <= bytes.count {
      guard bytes[offset] == head[0], bytes[offset..<offset + 4].elementsEqual(head) else {
        offset += 1
        continue
      }
      if let study = uid(.studyInstanceUID, in: scan, at: offset),
        let series = uid(.seriesInstanceUID, in: scan, at: study.end),
        series.end + 4 <= bytes.count, scan.number(series.end, 2) == 0x0020,
        scan.number(series.end + 2, 2) > 0x000E
      {
        return (study.text, series.text)
      }
      offset += 4
    }
    return nil
  }

  /// A UID element at an offset and where it ends.
  private static func uid(_ tag: Tag, in scan: StructureScan, at offset: Int) -> (
    text: String, end: Int
  )? {
    let bytes = scan.bytes
    guard offset + 8 <= bytes.count,
      scan.number(offset, 2) == Int(tag.group), scan.number(offset + 2, 2) == Int(tag.element)
    else { return nil }
    let isExplicit = bytes[offset + 4..<offset + 6].elementsEqual("UI".utf8)
    let length = isExplicit ? scan.number(offset + 6, 2) : scan.number(offset + 4, 4)
    let end = offset + 8 + length
    guard (1...64).contains(length), end <= bytes.count,
      let text = uid(bytes[offset + 8..<end])
    else { return nil }
    return (text, end)
  }
}
