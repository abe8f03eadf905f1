import Foundation

/// The instance files of one series.
public struct SeriesFiles: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var files: [URL]
  /// Earlier versions of instances among `files`, which were received again with other content: their
  /// pixels are compared, and nothing else is read of them.
  public var replaced: [URL]

  public init(seriesInstanceUID: String, files: [URL], replaced: [URL] = []) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
    self.replaced = replaced
  }
}
