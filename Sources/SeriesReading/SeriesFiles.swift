import DICOM
import Dispatch
import Foundation
import Synchronization

/// The instance files of one series, or of several that are one stack.
public struct SeriesFiles: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var files: [URL]
  /// Earlier versions of instances among `files`, which were received again with other content: their
  /// pixels are compared, and nothing else is read of them.
  public var replaced: [URL]
  /// The further series of the stack of which this is the first; empty for a series by itself.
  public var stackedWith: [SeriesFiles] = []
  /// SHA-256 of the dataset of each file, where it is known already.
  private var knownHashes: [URL: String]

  /// - Parameters:
  ///   - seriesInstanceUID: of the series.
  ///   - files: its instances.
  ///   - replaced: earlier versions of some of them.
  ///   - hashes: SHA-256 of the datasets of `files`, as 64 hexadecimal digits, as far as it is known.
  public init(
    seriesInstanceUID: String, files: [URL], replaced: [URL] = [], hashes: [URL: String] = [:]
  ) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
    self.replaced = replaced
    knownHashes = hashes
  }

  /// The files of this series and of those that it is stacked with.
  public var allFiles: [URL] { files + stackedWith.flatMap(\.files) }

  /// SHA-256 of the dataset of every file, those of the further series of a stack included: each
  /// content once and in order, however the files came. What is not known is read, on all processors.
  ///
  /// - Throws: `DICOMError`, or an error of Foundation, where a file cannot be read.
  public func contentHashes() throws -> [String] {
    let known = stackedWith.reduce(knownHashes) { $0.merging($1.knownHashes) { $1 } }
    let unknown = allFiles.filter { known[$0] == nil }
    let read = Mutex<[Result<String, any Error>]>([])
    DispatchQueue.concurrentPerform(iterations: unknown.count) { index in
      let hash = Result { try datasetHash(of: unknown[index]).hash }
      read.withLock { $0.append(hash) }
    }
    let hashes = try read.withLock { try $0.map { try $0.get() } }
    return Set(hashes + allFiles.compactMap { known[$0] }).sorted()
  }
}
