import Cryptography
import Evaluation
import FileSystem
import Foundation
import Segmentation
import Synchronization
import Training

/// The cases of a training, made ready for the network.
///
/// As many as fit in a stated amount of memory stay there. Where a folder is given, the others are
/// written to it once and read from there; else they are made ready anew each time they are needed.
/// Which cases stay does not change what is drawn.
public final class PreparedCases: Sendable {
  public let files: [CaseFiles]
  /// Labels that the cases hold.
  public let presentLabels: Set<UInt8>
  private let reader: CaseReader
  private let preprocessing: Preprocessing
  private let folder: URL?
  /// Cases in memory, by number.
  private let held: [Int: TrainingVolume]

  /// Reads and prepares every case, several at a time.
  ///
  /// - Parameters:
  ///   - files: the cases.
  ///   - reader: reads them.
  ///   - preprocessing: as of inference.
  ///   - memoryBytes: what prepared cases may take.
  ///   - folder: where those that do not fit are kept, readable by the owner alone; they are images
  ///     of patients. nil for nowhere.
  ///   - threads: cases that are prepared at the same time.
  /// - Throws: ``TrainingDataErrors`` with all cases that are unusable.
  public init(
    _ files: [CaseFiles], reader: CaseReader, preprocessing: Preprocessing, memoryBytes: Int,
    folder: URL? = nil, threads: Int
  ) throws {
    guard !files.isEmpty else { throw TrainingDataErrors(errors: [.noCases]) }
    self.files = files
    self.reader = reader
    self.preprocessing = preprocessing
    self.folder = folder
    let work = Mutex(Work(free: memoryBytes))
    let count = files.count
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
      while let index = work.withLock({ $0.take(of: count) }) {
        do {
          let volume = try Self.prepare(files[index], reader, preprocessing)
          let isHeld = work.withLock { $0.hold(index, volume) }
          if !isHeld, let folder {
            try CaseStore.write(volume, try Self.key(files[index], preprocessing), in: folder)
          }
        } catch {
          work.withLock { $0.failed(index, error) }
        }
      }
    }
    let result = work.withLock { $0 }
    if let error = result.otherError { throw error }
    guard result.errors.isEmpty else {
      throw TrainingDataErrors(errors: result.errors.sorted { $0.key < $1.key }.map(\.value))
    }
    held = result.held
    presentLabels = result.labels
  }

  /// Checks that some case holds each label.
  ///
  /// - Throws: ``TrainingDataErrors``.
  public func checkClasses() throws(TrainingDataErrors) {
    let missing = reader.labels.filter { !presentLabels.contains($0.value) }
    guard missing.isEmpty else {
      throw TrainingDataErrors(
        errors: missing.map {
          .missingClass(value: $0.value, label: $0.name, cases: files.count)
        })
    }
  }

  public var count: Int { files.count }
  /// Cases that are in memory.
  public var heldCount: Int { held.count }
  /// What they take of it.
  public var heldBytes: Int { held.values.reduce(0) { $0 + $1.bytes } }

  /// A case, from memory, from the folder, or made ready anew.
  public func volume(_ index: Int) throws -> TrainingVolume {
    if let volume = held[index] { return volume }
    let key = try Self.key(files[index], preprocessing)
    if let folder, let volume = CaseStore.read(key, in: folder) { return volume }
    let volume = try Self.prepare(files[index], reader, preprocessing)
    if let folder { try CaseStore.write(volume, key, in: folder) }
    return volume
  }

  private static func prepare(
    _ files: CaseFiles, _ reader: CaseReader, _ preprocessing: Preprocessing
  ) throws(TrainingDataError) -> TrainingVolume {
    let item = try reader.read(files)
    do {
      let prepared = try preprocessing.prepare(item.channels, labels: item.labels)
      return TrainingVolume(
        shape: prepared.shape, image: prepared.image, labels: prepared.labels,
        slicesPerPlane: prepared.slicesPerPlane)
    } catch {
      throw .cannotPrepare(name: files.name, reason: "\(error)")
    }
  }

  /// Changes with the files' sizes and times and with the preprocessing.
  private static func key(_ files: CaseFiles, _ preprocessing: Preprocessing) throws -> String {
    var hash = SHA256()
    for url in files.images + [files.labels] {
      let status = FileStatus(url.path)
      hash.update(
        data: Data("\(url.path)\t\(status?.size ?? 0)\t\(status?.modified ?? 0)\n".utf8))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    hash.update(data: try encoder.encode(preprocessing))
    return hexadecimal(hash.finalize())
  }

  /// What threads share while cases are prepared.
  private struct Work {
    var free: Int
    private var next = 0
    private(set) var held: [Int: TrainingVolume] = [:]
    private(set) var labels: Set<UInt8> = []
    private(set) var errors: [Int: TrainingDataError] = [:]
    private(set) var otherError: (any Error)?

    init(free: Int) { self.free = free }

    mutating func take(of count: Int) -> Int? {
      guard next < count, otherError == nil else { return nil }
      next += 1
      return next - 1
    }

    /// Whether the case stays in memory.
    mutating func hold(_ index: Int, _ volume: TrainingVolume) -> Bool {
      for voxels in volume.voxels {
        if let first = voxels.first { labels.insert(volume.labels[Int(first)]) }
      }
      guard volume.bytes <= free else { return false }
      free -= volume.bytes
      held[index] = volume
      return true
    }

    mutating func failed(_ index: Int, _ error: any Error) {
      if let error = error as? TrainingDataError {
        errors[index] = error
      } else {
        otherError = error
      }
    }
  }
}
