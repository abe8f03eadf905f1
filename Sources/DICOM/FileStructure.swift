/// Where the parts of a Part 10 file lie, found by walking over it without building anything.
///
/// The walk refuses what the parser must not see: nesting that would overflow its stack, lengths
/// beyond the end of the file, element floods, inflating transfer syntaxes.
struct FileStructure: Sendable {
  /// Deepest nesting of sequences that is read.
  static let maximumNesting = 64
  /// Most elements and items that are read, a bound on the memory a small file can claim.
  static let maximumElements = 4_000_000

  /// Where the pixel data lies.
  struct PixelData: Sendable, Equatable {
    var vr: String
    /// First byte of the element, where the header ends.
    var start: Int
    /// The value of native pixel data; nil when encapsulated.
    var native: Range<Int>?
    /// Fragments of encapsulated pixel data, the offset table left out.
    var fragments: [Range<Int>] = []
    /// The basic offset table: offsets of the first fragment of each frame (PS3.5 A.4).
    var offsetTable: Range<Int> = 0..<0
  }

  var transferSyntax: TransferSyntax
  /// The bytes of the transfer syntax UID in the file meta information.
  let transferSyntaxRange: Range<Int>
  /// Where the dataset begins, behind the file meta information.
  let datasetOffset: Int
  var pixelData: PixelData?

  init(scanning bytes: UnsafeRawBufferPointer, file: String) throws(DICOMError) {
    var scan = StructureScan(bytes: bytes, file: file)
    let meta = try scan.metaInformation()
    guard let syntax = TransferSyntax(rawValue: meta.transferSyntaxUID) else {
      throw .unsupportedTransferSyntax(file: file, uid: meta.transferSyntaxUID)
    }
    transferSyntax = syntax
    transferSyntaxRange = meta.transferSyntaxRange
    datasetOffset = meta.end
    scan.take(syntax)
    _ = try scan.elements(from: meta.end, to: bytes.count, depth: 0, delimited: false)
    pixelData = scan.pixelData
  }

  /// The Series Instance UID of a file whose structure is damaged behind it; nil where it is not
  /// reached.
  static func seriesInstanceUID(
    ofDamaged bytes: UnsafeRawBufferPointer, file: String
  ) -> String? {
    var scan = StructureScan(bytes: bytes, file: file)
    guard let meta = try? scan.metaInformation(),
      let syntax = TransferSyntax(rawValue: meta.transferSyntaxUID)
    else { return nil }
    scan.take(syntax)
    _ = try? scan.elements(from: meta.end, to: bytes.count, depth: 0, delimited: false)
    guard let range = scan.seriesInstanceUID else { return nil }
    let uid = String(
      decoding: bytes[range].filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    return DICOMUID.isValid(uid) ? uid : nil
  }
}
