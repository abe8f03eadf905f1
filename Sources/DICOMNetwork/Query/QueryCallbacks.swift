import CDCMTK
import Foundation
import Synchronization

/// What DCMTK's thread calls during a query.
final class QueryCallbacks: Sendable {
  typealias Identifier = (bytes: Data, transferSyntaxUID: String)

  private let identifiers = Mutex<[Identifier]>([])
  private let reception: Callbacks?
  private let progress: @Sendable (RetrievalProgress) -> Void

  /// - Parameters:
  ///   - handlers: for what a C-GET brings; nil for other services.
  ///   - progress: told of sub-operations.
  init(
    _ handlers: DIMSEHandlers? = nil, progress: @escaping @Sendable (RetrievalProgress) -> Void
  ) {
    reception = handlers.map { Callbacks($0) }
    self.progress = progress
  }

  /// The identifiers of the peer's responses, in their order.
  var received: [Identifier] { identifiers.withLock { $0 } }

  /// Sets the callbacks; whoever runs the query keeps `self` until it returns.
  func set(_ request: inout cdcmtk_query_request) {
    request.identifier = { context, bytes, count, syntax in
      guard let self = QueryCallbacks.at(context), let bytes, let syntax else { return }
      let identifier = (Data(bytes: bytes, count: count), String(cString: syntax))
      self.identifiers.withLock { $0.append(identifier) }
    }
    request.progress = { context, completed, remaining in
      QueryCallbacks.at(context)?.progress(
        RetrievalProgress(completed: Int(completed), remaining: Int(remaining)))
    }
    request.store = {
      QueryCallbacks.at($0)?.reception?.store($1) ?? StoreStatus.outOfResources.rawValue
    }
    request.refusal = { QueryCallbacks.at($0)?.reception?.refuse($1) }
    request.event = { QueryCallbacks.at($0)?.reception?.tell($1) }
    request.context = Unmanaged.passUnretained(self).toOpaque()
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> QueryCallbacks? {
    context.map { Unmanaged<QueryCallbacks>.fromOpaque($0).takeUnretainedValue() }
  }
}
