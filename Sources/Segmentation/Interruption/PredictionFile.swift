import Cryptography
import FileSystem
import Foundation

/// Why the state of a prediction cannot be read from a file.
enum PredictionFileError: Error, Equatable, CustomStringConvertible {
  case unreadable(String)
  case damaged
  /// Other images, another model, other settings, another version of segmentd or another arithmetic.
  case otherSubject

  var description: String {
    switch self {
    case .unreadable(let reason): "the checkpoint cannot be read: \(reason)"
    case .damaged: "the checkpoint is damaged"
    case .otherSubject:
      "the checkpoint is of other images, another model, other settings, another version or "
        + "another processor's arithmetic"
    }
  }
}

/// The state of a prediction as a file, little-endian: eight bytes that name the format; the length of the
/// header (UInt64); the header as JSON; the sums (Float); the last two planes (Double); the labels; and the
/// SHA-256 of all of this. The file is there whole or not at all.
enum PredictionFile {
  private static let format = Array("SEGMPRD1".utf8)
  private static let longestHeader = 1 << 20
  private static let hashLength = SHA256.byteCount
  /// Hashed and written at a time.
  private static let chunk = 8 << 20

  private struct Header: Codable {
    var subject: PredictionSubject
    var position: SlidingWindow.Position
    var isFinished: Bool
    var planesDone: Int
    var planesSeen: Int
    var slicesDone: Int
    var sumCount: Int
    var lowerCount: Int
    var upperCount: Int
    var labelCount: Int

    init(_ state: PredictionState, _ subject: PredictionSubject) {
      self.subject = subject
      position = state.position
      isFinished = state.isFinished
      planesDone = state.planes.done
      planesSeen = state.assembly.planesSeen
      slicesDone = state.assembly.slicesDone
      sumCount = state.planes.sums.count
      lowerCount = state.assembly.lower.count
      upperCount = state.assembly.upper.count
      labelCount = state.assembly.labels.count
    }

    /// nil where the counts cannot be those of a file.
    var payload: Int? {
      var total = 0
      for (count, size) in [
        (sumCount, 4), (lowerCount, 8), (upperCount, 8), (labelCount, 1),
      ] {
        guard (0..<1 << 40).contains(count) else { return nil }
        total += count * size
      }
      return total
    }
  }

  /// The size of the file, up to some hundreds of bytes.
  static func byteCount(_ state: PredictionState) -> Int {
    let assembly = state.assembly
    return 4 * state.planes.sums.count + 8 * (assembly.lower.count + assembly.upper.count)
      + assembly.labels.count + 4096
  }

  // MARK: Writing

  /// Writes the file with mode 0600, syncs it, and gives it its name.
  static func write(_ state: PredictionState, subject: PredictionSubject, to path: String)
    throws(DurableFileError)
  {
    let header: Data
    do { header = try JSONEncoder().encode(Header(state, subject)) } catch {
      throw DurableFileError(file: path, reason: "\(error)")
    }
    try DurableFile.write(to: path) { temporary in
      let descriptor = open(temporary, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw SystemError() }
      defer { close(descriptor) }
      try write(state, header: header, to: descriptor)
    }
  }

  private static func write(_ state: PredictionState, header: Data, to descriptor: Int32)
    throws(SystemError)
  {
    func put(_ bytes: UnsafeRawBufferPointer, _ hash: inout SHA256) throws(SystemError) {
      var offset = 0
      while offset < bytes.count {
        let part = UnsafeRawBufferPointer(
          rebasing: bytes[offset..<min(offset + chunk, bytes.count)])
        hash.update(bufferPointer: part)
        guard let start = part.baseAddress else { break }
        try FileSystem.write(
          Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: part.count,
            deallocator: .none),
          to: descriptor)
        offset += part.count
      }
    }
    /// `withUnsafeBytes` with an error of one type.
    func put<Element>(_ values: [Element], _ hash: inout SHA256) throws(SystemError) {
      let result: Result<Void, SystemError> = values.withUnsafeBytes { bytes in
        do throws(SystemError) {
          try put(bytes, &hash)
          return .success(())
        } catch {
          return .failure(error)
        }
      }
      try result.get()
    }
    var hash = SHA256()
    try put(format, &hash)
    try put([UInt64(header.count).littleEndian], &hash)
    try put([UInt8](header), &hash)
    try put(state.planes.sums, &hash)
    try put(state.assembly.lower, &hash)
    try put(state.assembly.upper, &hash)
    try put(state.assembly.labels, &hash)
    try FileSystem.write(Data(hash.finalize()), to: descriptor)
  }

  // MARK: Reading

  /// - Throws: ``PredictionFileError``, where a single bit is not as it was written, too.
  static func read(_ path: String, subject: PredictionSubject) throws(PredictionFileError)
    -> PredictionState
  {
    let (file, header, start) = try whole(path) { $0 == subject }
    var offset = start
    func take<Element: BitwiseCopyable>(_ count: Int, _ type: Element.Type) -> [Element] {
      let size = count * MemoryLayout<Element>.stride
      defer { offset += size }
      return [Element](unsafeUninitializedCapacity: count) { values, initialized in
        file.withUnsafeBytes { bytes in
          UnsafeMutableRawBufferPointer(values).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size]))
        }
        initialized = count
      }
    }
    let sums = take(header.sumCount, Float.self)
    let lower = take(header.lowerCount, Double.self)
    let upper = take(header.upperCount, Double.self)
    let labels = take(header.labelCount, UInt8.self)
    return PredictionState(
      position: header.position, isFinished: header.isFinished,
      planes: PlaneAccumulator.State(done: header.planesDone, sums: sums),
      assembly: LabelAssembly.State(
        planesSeen: header.planesSeen, slicesDone: header.slicesDone, labels: labels, lower: lower,
        upper: upper))
  }

  /// How far the prediction of a file is, which is checked as for reading it; `isOurs` says whether a subject is the
  /// one that is asked for.
  ///
  /// - Throws: ``PredictionFileError``
  static func progress(_ path: String, isOurs: (PredictionSubject) -> Bool)
    throws(PredictionFileError) -> PredictionProgress
  {
    let header = try whole(path, isOurs: isOurs).header
    return PredictionProgress(position: header.position, isFinished: header.isFinished)
  }

  /// The content of a file, its header, and where what follows that begins: every bit is as it was written.
  private static func whole(_ path: String, isOurs: (PredictionSubject) -> Bool)
    throws(PredictionFileError) -> (file: Data, header: Header, start: Int)
  {
    let file: Data
    do { file = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
      throw .unreadable(SystemError.text(of: error))
    }
    let (header, start) = try header(file)
    guard isOurs(header.subject) else { throw .otherSubject }
    guard let payload = header.payload, file.count == start + payload + hashLength else {
      throw .damaged
    }
    var hash = SHA256()
    file.withUnsafeBytes { bytes in
      hash.update(
        bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[..<(file.count - hashLength)]))
    }
    guard Array(hash.finalize()) == Array(file.suffix(hashLength)) else { throw .damaged }
    return (file, header, start)
  }

  /// - Returns: the header, and where what follows it begins.
  private static func header(_ file: Data) throws(PredictionFileError) -> (Header, Int) {
    let before = format.count + 8
    guard file.count >= before + hashLength, Array(file.prefix(format.count)) == format else {
      throw .damaged
    }
    let length = file[format.count..<before].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(longestHeader), file.count >= before + Int(length) + hashLength,
      let header = try? JSONDecoder().decode(
        Header.self, from: file[before..<before + Int(length)])
    else { throw .damaged }
    return (header, before + Int(length))
  }
}
