import FileSystem
import Foundation

/// A DICOM file on disk: its header is read, its pixels stay where they are.
///
/// Opening is safe for files of any origin: the structure is walked before the parser sees it, and
/// every refusal is a ``DICOMError`` that names the file and the tag.
///
/// ```swift
/// let file = try DICOMFile(path: path)
/// let modality = file.dataset.text(.modality)  // "CT"
/// let frames = try file.imageFrames()  // what the geometry gate assesses
/// ```
public struct DICOMFile: Sendable {
  /// Largest file that is read, in bytes.
  public static let maximumSize = 4 << 30
  /// Most bytes before the pixel data, in an object without any in all: they are copied.
  public static let maximumHeaderSize = 512 << 20
  /// Largest dataset that a deflated file may hold, in bytes: a few megabytes can unfold to any
  /// size.
  public static let maximumInflatedSize = 512 << 20
  /// Most bytes of it besides the pixels, which are not kept where only the header is read.
  public static let maximumInflatedHeaderSize = 128 << 20

  public let path: String
  /// How the dataset is coded, also where (0002,0010) says otherwise.
  public let transferSyntax: TransferSyntax
  /// All elements but the pixel data and what follows it.
  public let dataset: Dataset
  let structure: FileStructure

  /// Where the dataset begins in the file, behind the file meta information.
  public var datasetOffset: Int { structure.datasetOffset }

  /// Where the dataset begins in the bytes of a file, of which nothing else is checked.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - file: the path named in errors.
  /// - Throws: ``DICOMError`` where nothing says how the dataset is coded.
  package static func datasetOffset(in bytes: Data, file: String) throws(DICOMError) -> Int {
    let end: Result<Int, DICOMError> = bytes.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        var scan = StructureScan(bytes: raw, file: file)
        return try scan.metaInformation().end
      }
    }
    return try end.get()
  }

  /// The UID of (0002,0010) where it says otherwise than the dataset is coded.
  package var contradictedTransferSyntaxUID: String? { structure.contradictedUID }

  /// - Throws: ``DICOMError`` where the file is not a whole, bounded, supported Part 10 file.
  public init(path: String) throws(DICOMError) {
    try self.init(path: path, contents: Self.contents(of: path))
  }

  /// - Parameters:
  ///   - path: of the file, named in errors.
  ///   - contents: the whole file, as ``contents(of:mapped:)`` gives them.
  /// - Throws: ``DICOMError`` where they are not a whole, bounded, supported Part 10 file.
  package init(path: String, contents: Data) throws(DICOMError) {
    guard let extent = try Self.deflatedExtent(contents, file: path) else {
      try self.init(path: path, bytes: contents)
      return
    }
    // In most files the pixels follow soon: what is inflated besides them is small.
    let beginning = try Self.withoutPixels(
      extent, contents, within: Inflation.beginningSize, file: path)
    let size = min(beginning.sizeWithoutPixels, Self.maximumInflatedHeaderSize)
    // Inflated, parsed and scanned; all but the values lives no longer than that.
    self = try ReadingBudget.with(
      4 * size + 8 * FileStructure.memory(ofScanning: size)
    ) { () throws(DICOMError) in
      let extent =
        beginning.sizeWithoutPixels <= size
        ? beginning : try Self.withoutPixels(extent, contents, within: size, file: path)
      guard extent.sizeWithoutPixels <= Self.maximumInflatedHeaderSize else {
        throw .tooLarge(
          file: path,
          reason: "the deflated dataset unfolds to \(extent.sizeWithoutPixels) bytes besides "
            + "pixels, at most \(Self.maximumInflatedHeaderSize) are read")
      }
      return try DICOMFile(
        path: path, bytes: Self.inflated(contents, extent, file: path), isWithinBudget: true)
    }
  }

  /// The extent with the place of its pixels, where their element begins within so many bytes.
  private static func withoutPixels(
    _ extent: Inflation.Extent, _ contents: Data, within size: Int, file: String
  ) throws(DICOMError) -> Inflation.Extent {
    let pixels: Result<Range<Int>?, DICOMError> = contents.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        try Inflation.pixels(of: raw, extent, within: size, file: file)
      }
    }
    var extent = extent
    extent.pixels = try pixels.get()
    return extent
  }

  /// - Parameters:
  ///   - path: of the file, named in errors.
  ///   - bytes: as ``load(_:)`` gives them.
  ///   - tags: of elements whose places the structure notes.
  ///   - isWithinBudget: whether the caller has a share of the ``ReadingBudget``.
  init(
    path: String, bytes: Data, valuesOf tags: Set<Tag> = [], isWithinBudget: Bool = false
  ) throws(DICOMError) {
    func within<Value>(
      _ size: Int, _ body: () throws(DICOMError) -> Value
    ) throws(DICOMError) -> Value {
      isWithinBudget ? try body() : try ReadingBudget.with(size, body)
    }
    let parsed: Result<(FileStructure, Dataset), DICOMError> = bytes.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        let structure = try within(FileStructure.memory(ofScanning: raw.count)) {
          () throws(DICOMError) in
          try FileStructure(scanning: raw, file: path, valuesOf: tags)
        }
        let dataset = try within(structure.memoryOfParsing(raw.count)) { () throws(DICOMError) in
          try Self.parse(raw, structure, file: path)
        }
        return (structure, dataset)
      }
    }
    (structure, dataset) = try parsed.get()
    transferSyntax = structure.transferSyntax
    self.path = path
  }

  /// Parses all before the pixel data.
  private static func parse(
    _ raw: UnsafeRawBufferPointer, _ structure: FileStructure, file: String
  ) throws(DICOMError) -> Dataset {
    let header = structure.headerSize(raw.count)
    guard header <= maximumHeaderSize else {
      throw .tooLarge(
        file: file,
        reason: "\(header) bytes before the pixel data, at most \(maximumHeaderSize) are read")
    }
    let parsed: Result<Dataset, DICOMError> = structure.withParsedHeader(raw) { header in
      Result { () throws(DICOMError) in
        try Dataset(parsing: header, in: structure.parsedSyntax, file: file)
      }
    }
    return try parsed.get()
  }

  /// The whole file in memory, so that what is checked is what is parsed. The dataset of a deflated
  /// file is inflated.
  static func load(_ path: String) throws(DICOMError) -> Data {
    let contents = try contents(of: path)
    guard let extent = try deflatedExtent(contents, file: path) else { return contents }
    return try inflated(contents, extent, file: path)
  }

  /// The bytes of a file as they are on disk.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - mapped: whether they are mapped and not copied; only for a file that nobody writes to or cuts
  ///     off in the meantime.
  /// - Throws: ``DICOMError`` where it cannot be read or is too large.
  package static func contents(of path: String, mapped: Bool = false) throws(DICOMError) -> Data {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw .cannotRead(path, SystemError())
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .cannotRead(file: path, reason: "not a regular file")
    }
    guard status.st_size <= maximumSize else {
      throw .tooLarge(
        file: path, reason: "\(status.st_size) bytes, at most \(maximumSize) are read")
    }
    do {
      // Nothing can be mapped of an empty file.
      let options: Data.ReadingOptions = mapped && status.st_size > 0 ? .alwaysMapped : []
      return try Data(contentsOf: URL(fileURLWithPath: path), options: options)
    } catch {
      throw .cannotRead(
        file: path, reason: SystemError.text(of: error), system: SystemError(behind: error))
    }
  }

  private static func deflatedExtent(
    _ contents: Data, file: String
  ) throws(DICOMError) -> Inflation.Extent? {
    let extent: Result<Inflation.Extent?, DICOMError> = contents.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        try Inflation.extent(raw, file: file, maximumSize: maximumInflatedSize)
      }
    }
    return try extent.get()
  }

  private static func inflated(
    _ contents: Data, _ extent: Inflation.Extent, file: String
  ) throws(DICOMError) -> Data {
    let inflated: Result<Data, DICOMError> = contents.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in try Inflation.inflate(raw, extent, file: file) }
    }
    return try inflated.get()
  }

  /// Number of Frames (0028,0008), 1 where absent.
  ///
  /// - Throws: ``DICOMError/invalidAttribute(file:tag:value:)``.
  func frameCount() throws(DICOMError) -> Int {
    guard let element = dataset[.numberOfFrames], !element.isEmpty else { return 1 }
    guard let count = dataset.integer(.numberOfFrames), count > 0 else {
      throw .invalidAttribute(
        file: path, tag: .numberOfFrames, value: dataset.text(.numberOfFrames) ?? "")
    }
    return count
  }
}

extension DICOMFile {
  /// The dataset of a file and the bytes of its uncompressed pixel data, little endian.
  ///
  /// - Throws: ``DICOMError``, also where the pixel data is absent or compressed.
  public static func withNativePixels(
    path: String
  ) throws(DICOMError) -> (dataset: Dataset, pixels: [UInt8]) {
    let (dataset, pixels) = try withAnyNativePixels(path: path)
    guard let pixels else { throw .missingAttribute(file: path, tag: .pixelData) }
    return (dataset, pixels)
  }

  /// The dataset of a file and the bytes of its uncompressed pixel data, little endian; nil where it has none.
  ///
  /// - Throws: ``DICOMError``, also where the pixel data is compressed.
  package static func withAnyNativePixels(
    path: String
  ) throws(DICOMError) -> (dataset: Dataset, pixels: [UInt8]?) {
    let bytes = try load(path)
    let file = try DICOMFile(path: path, bytes: bytes)
    guard let location = file.structure.pixelData else { return (file.dataset, nil) }
    guard let value = location.native else {
      throw .missingAttribute(file: path, tag: .pixelData)
    }
    guard !file.transferSyntax.isBigEndian else {
      throw .unsupportedPixels(file: path, reason: "big endian")
    }
    return (file.dataset, Array(bytes[value]))
  }
}
