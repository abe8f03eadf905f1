import Foundation

/// Finds files in a folder, in any nesting, once they have stopped growing.
///
/// Nothing in the folder is ever changed. Changes are seen by inotify and, where that fails (a
/// network file system, too many folders), by a scan of the whole folder now and then. Symbolic
/// links are reported and not followed. Hidden files, and those with an ending that copying programs use for
/// unfinished files, wait until they are renamed.
///
/// ```swift
/// for await file in try FolderWatcher(url: url) { … }
/// ```
public struct FolderWatcher: AsyncSequence, Sendable {
  public struct Settings: Sendable {
    /// Seconds without a change after which a file is taken.
    public var settleTime: TimeInterval
    /// Seconds between scans of the whole folder.
    public var rescanInterval: TimeInterval

    public init(settleTime: TimeInterval = 5, rescanInterval: TimeInterval = 30) {
      self.settleTime = settleTime
      self.rescanInterval = rescanInterval
    }
  }

  private let url: URL
  private let settings: Settings
  private let report: @Sendable (WatchFolderError) -> Void

  /// - Parameters:
  ///   - url: the folder.
  ///   - settings: how long a file must rest, and how often the folder is read again.
  ///   - report: called once for each thing in the folder that cannot be read, and again when it
  ///     was readable in between; watching continues.
  /// - Throws: ``WatchFolderError/unreadable(folder:reason:)`` where the folder itself cannot be
  ///   read now.
  public init(
    url: URL, settings: Settings = Settings(),
    report: @escaping @Sendable (WatchFolderError) -> Void = { _ in }
  ) throws(WatchFolderError) {
    do {
      _ = try FolderEntries(of: url.path)
    } catch {
      throw .unreadable(folder: url.path, reason: "\(error)")
    }
    self.url = url
    self.settings = settings
    self.report = report
  }

  public func makeAsyncIterator() -> Iterator {
    Iterator(url: url, settings: settings, report: report)
  }

  /// Yields each version of a file once; a version is known by inode, size and modification time.
  public struct Iterator: AsyncIteratorProtocol {
    private let step: Duration
    private let rescanInterval: Duration
    private let notifier: ChangeNotifier
    private var scan: FolderScan
    private var nextRescan = ContinuousClock.now
    private var ready: ArraySlice<String> = []

    fileprivate init(
      url: URL, settings: Settings, report: @escaping @Sendable (WatchFolderError) -> Void
    ) {
      step = .seconds(Swift.max(Swift.min(settings.settleTime / 4, 1), 0.05))
      rescanInterval = .seconds(settings.rescanInterval)
      notifier = ChangeNotifier()
      scan = FolderScan(
        root: url.path, settleTime: .seconds(settings.settleTime), notifier: notifier,
        report: report)
    }

    /// The next file; nil when the task is cancelled.
    public mutating func next() async -> URL? {
      while !Task.isCancelled {
        while let path = ready.popFirst() {
          if scan.isUnchanged(path, now: .now) { return URL(fileURLWithPath: path) }
        }
        look()
        // A cancelled sleep ends at once, and the loop with it.
        if ready.isEmpty { try? await Task.sleep(for: step) }
      }
      return nil
    }

    private mutating func look() {
      let now = ContinuousClock.now
      let changes = notifier.takeChanges()
      if now >= nextRescan {
        nextRescan = now + rescanInterval
        scan.rescan(now: now)
      } else {
        scan.look(at: changes, now: now)
      }
      ready = scan.settled(now: now)[...]
    }
  }
}
