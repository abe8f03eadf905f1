import DICOMweb
import Foundation
import Logging
import Synchronization

/// Subscriptions to the events of workitems (PS3.18 11.10), and the connection over which a server reports them.
///
/// A server need not have that service, and need not keep what it reports while there is no connection: workitems are
/// looked at besides.
final class WorklistEvents: Sendable {
  private struct State {
    /// Workitems to which we have subscribed since the process began, and those that a server without the service has.
    var known: Set<String> = []
    /// Where events are reported; nil where there are none.
    var place: URL?
  }

  private let client: DICOMwebClient
  private let title: String
  private let logger: Logger
  private let state = Mutex(State())

  /// - Parameters:
  ///   - client: of the worklist server.
  ///   - title: our AE title.
  ///   - logger: is told of connections that break.
  init(client: DICOMwebClient, title: String, logger: Logger) {
    self.client = client
    self.title = title
    self.logger = logger
  }

  /// Asks the server once to report what happens to a workitem. Where it does not answer, it is asked again at the next
  /// look.
  func subscribe(to uid: String) async {
    guard state.withLock({ $0.known.insert(uid).inserted }) else { return }
    do throws(DICOMwebError) {
      guard let place = try await client.subscribe(to: uid, as: title) else { return }
      state.withLock { $0.place = place }
    } catch {
      if error.isPassing { state.withLock { _ = $0.known.remove(uid) } }
      logger.debug("no events of a workitem: \(error)", metadata: ["workitem": "\(uid)"])
    }
  }

  /// Follows the events until the task is cancelled.
  ///
  /// - Parameters:
  ///   - pause: seconds until the next connection, where one breaks.
  ///   - take: is told of each event.
  func follow(
    pause: Double, _ take: @escaping @Sendable (WorkitemEvent) -> Void
  ) async {
    while !Task.isCancelled {
      guard let place = state.withLock({ $0.place }) else {
        try? await Task.sleep(for: .milliseconds(200))
        continue
      }
      do throws(DICOMwebError) {
        try await client.events(at: place) { take($0) }
      } catch .cancelled {
        return
      } catch {
        logger.debug("the worklist server reports no events: \(error)")
      }
      try? await Task.sleep(for: .seconds(pause))
    }
  }
}
