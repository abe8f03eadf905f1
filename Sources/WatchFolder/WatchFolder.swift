import Foundation

/// Why a folder cannot be watched.
public enum WatchFolderError: Error, CustomStringConvertible, Equatable {
  case unreadable(folder: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let folder, let reason):
      "\(folder): the watch folder cannot be read: \(reason)"
    }
  }
}

/// Finds files in a folder, in any nesting, once they have stopped growing.
///
/// Nothing in the folder is ever changed. Changes are seen by inotify and, where that fails (a
/// network file system, too many folders), by a scan of the whole folder now and then. Symbolic
/// links are not followed. Hidden files, and those with an ending that copying programs use for
/// unfinished files, wait until they are renamed.
public struct WatchFolder: AsyncSequence, Sendable {
  public struct Settings: Sendable {
    /// Seconds without a change after which a file is taken.
    public var settleTime: TimeInterval
    /// Seconds between scans when inotify reports nothing.
    public var rescanInterval: TimeInterval

    public init(settleTime: TimeInterval = 5, rescanInterval: TimeInterval = 30) {
      self.settleTime = settleTime
      self.rescanInterval = rescanInterval
    }
  }

  private let url: URL
  private let settings: Settings
  private let notifier: ChangeNotifier

  /// - Throws: ``WatchFolderError/unreadable(folder:reason:)``
  public init(url: URL, settings: Settings = Settings()) throws(WatchFolderError) {
    do {
      _ = try FileManager.default.contentsOfDirectory(atPath: url.path)
    } catch {
      throw .unreadable(folder: url.path, reason: error.localizedDescription)
    }
    self.url = url
    self.settings = settings
    notifier = ChangeNotifier()
  }

  public func makeAsyncIterator() -> Iterator {
    Iterator(url: url, settings: settings, notifier: notifier)
  }

  /// Yields each version of a file once.
  public struct Iterator: AsyncIteratorProtocol {
    private let url: URL
    private let settings: Settings
    private let notifier: ChangeNotifier
    private var scan = FolderScan()
    private var ready: [URL] = []

    fileprivate init(url: URL, settings: Settings, notifier: ChangeNotifier) {
      self.url = url
      self.settings = settings
      self.notifier = notifier
    }

    /// The next file; nil when the task is cancelled.
    public mutating func next() async -> URL? {
      while ready.isEmpty {
        if Task.isCancelled { return nil }
        ready = scan.settled(
          below: url, now: Date(), settleTime: settings.settleTime, notifier: notifier)
        if ready.isEmpty { await pause() }
      }
      return Task.isCancelled ? nil : ready.removeFirst()
    }

    /// Files that may still grow are looked at again soon; else the next change is waited for.
    private func pause() async {
      let step = Swift.max(Swift.min(settings.settleTime / 4, 1), 0.05)
      if scan.isSettling {
        try? await Task.sleep(for: .seconds(step))
        return
      }
      let end = Date(timeIntervalSinceNow: settings.rescanInterval)
      while !Task.isCancelled, Date() < end, !notifier.takeChange() {
        try? await Task.sleep(for: .seconds(step))
      }
    }
  }
}
