import Foundation

/// The instance files of one series, or of several that are one stack.
public struct SeriesFiles: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var files: [URL]
  /// Earlier versions of instances among `files`, which were received again with other content: their
  /// pixels are compared, and nothing else is read of them.
  public var replaced: [URL]
  /// The further series of the stack of which this is the first; empty for a series by itself.
  public var stackedWith: [SeriesFiles] = []

  public init(seriesInstanceUID: String, files: [URL], replaced: [URL] = []) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
    self.replaced = replaced
  }

  /// The files of this series and of those that it is stacked with.
  public var allFiles: [URL] { files + stackedWith.flatMap(\.files) }
}
