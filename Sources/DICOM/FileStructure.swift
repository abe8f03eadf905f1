import Foundation

/// Where the parts of a Part 10 file are, found by walking over it without building anything.
///
/// The walk refuses what the parser must not see: nesting that would overflow its stack, lengths
/// beyond the end of the file, element floods, inflating transfer syntaxes.
struct FileStructure: Sendable {
  /// How dataset and pixels are coded.
  let transferSyntax: TransferSyntax
  /// The UID of (0002,0010) where it says otherwise.
  let contradictedUID: String?
  /// How elements are coded: one of the uncompressed transfer syntaxes.
  let elementCoding: TransferSyntax
  /// Where the dataset begins, behind the file meta information.
  let datasetOffset: Int
  let pixelData: PixelDataLocation?
  /// By which the dataset becomes what DCMTK reads.
  let replacements: [HeaderReplacement]
  /// How many elements and items there are.
  let elementCount: Int
  /// Where the values that were asked for are; those that the file lacks are left out.
  let values: [Tag: Range<Int>]

  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - file: the path named in errors.
  ///   - tags: of elements at the top, no sequences, whose values are asked for.
  init(
    scanning bytes: UnsafeRawBufferPointer, file: String, valuesOf tags: Set<Tag> = []
  ) throws(DICOMError) {
    var scan = StructureScan(bytes: bytes, file: file)
    scan.sought = tags
    let meta = try scan.metaInformation()
    guard let stated = TransferSyntax(rawValue: meta.transferSyntaxUID) else {
      throw .unsupportedTransferSyntax(file: file, uid: meta.transferSyntaxUID)
    }
    datasetOffset = meta.end
    scan.take(stated)
    let other = scan.codingOfDataset(at: meta.end, otherThan: stated)
    if let other { scan.takeCoding(of: other) }
    do throws(DICOMError) {
      _ = try scan.elements(from: meta.end, to: bytes.count, depth: 0, delimited: false)
    } catch {
      throw scan.contradiction(stated, other, error, datasetOffset: meta.end) ?? error
    }
    pixelData = scan.pixelData
    replacements = scan.replacements
    values = scan.soughtValues
    elementCount = scan.visited
    elementCoding = other ?? stated.elementCoding
    let isNative = stated.coding == .none || scan.pixelData?.native != nil
    transferSyntax = isNative && (other != nil || stated.coding != .none) ? elementCoding : stated
    contradictedUID = other != nil || transferSyntax != stated ? stated.rawValue : nil
  }

  /// The transfer syntax by whose name DCMTK reads the elements before the pixel data.
  var parsedSyntax: TransferSyntax {
    guard elementCoding == .explicitLittleEndian else { return elementCoding }
    guard transferSyntax.isUnsupportedByDCMTK else { return transferSyntax }
    return transferSyntax.coding == .jpeg2000 ? .jpeg2000Lossless : .explicitLittleEndian
  }

  /// How many bytes are before the pixel data of a file with so many.
  func headerSize(_ count: Int) -> Int { (pixelData?.start ?? count) - datasetOffset }

  /// About how much memory it takes to scan a file of so many bytes, at most: an element has eight.
  static func memory(ofScanning count: Int) -> Int {
    min(count / 8, StructureScan.maximumElements) * 64
  }

  /// About how much memory it takes to parse the header of a file of so many bytes.
  func memoryOfParsing(_ count: Int) -> Int { 3 * headerSize(count) + 400 * elementCount }

  /// Calls `body` with the elements before the pixel data as they are parsed.
  ///
  /// - Parameters:
  ///   - bytes: the file that was scanned.
  ///   - body: receives the bytes of the header; they are valid only during the call.
  func withParsedHeader<Value>(
    _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Value
  ) -> Value {
    let range = datasetOffset..<(pixelData?.start ?? bytes.count)
    let header = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard !replacements.isEmpty else { return body(header) }
    var copy = Data(header)
    for replacement in replacements where replacement.offset < range.upperBound {
      let start = replacement.offset - datasetOffset
      copy.replaceSubrange(start..<start + replacement.bytes.count, with: replacement.bytes)
    }
    return copy.withUnsafeBytes(body)
  }
}

extension StructureScan {
  /// The error of a dataset that is not coded as its transfer syntax says, in place of what the
  /// walk met; nil where nothing shows that.
  fileprivate func contradiction(
    _ stated: TransferSyntax, _ found: TransferSyntax?, _ error: DICOMError, datasetOffset: Int
  ) -> DICOMError? {
    if let found {
      return .contradictsTransferSyntax(
        file: file, stated: stated.rawValue,
        reason: "the dataset is coded in \(found.rawValue): \(error.reason)")
    }
    guard codingOfDataset(at: datasetOffset) == nil, datasetOffset + 8 <= bytes.count,
      (try? header(at: datasetOffset, end: bytes.count)) == nil
    else { return nil }
    return .contradictsTransferSyntax(
      file: file, stated: stated.rawValue,
      reason: "no element in that coding is at the beginning of the dataset: \(error.reason)")
  }
}
