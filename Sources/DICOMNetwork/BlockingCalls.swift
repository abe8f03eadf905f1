import CDCMTK
import Dispatch
import Synchronization

/// Runs DCMTK's calls, which block, on a queue of their own: the cooperative pool must not block.
func blockingCall<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(returning: body()) }
  }
}

/// Runs a call that ends soon after it is cancelled; nil where the task is cancelled before it does.
///
/// The caller continues at once in that case: nothing interrupts DCMTK while it connects.
func blockingCall<Value: Sendable>(
  _ cancellation: Cancellation, _ body: @escaping @Sendable () -> Value
) async -> Value? {
  await withTaskCancellationHandler {
    await withCheckedContinuation { continuation in
      let first = FirstResumption<Value?>(continuation)
      cancellation.whenCancelled { first.resume(nil) }
      DispatchQueue.global().async { first.resume(body()) }
    }
  } onCancel: {
    cancellation.cancel()
  }
}

/// Resumes a continuation with what comes first.
private final class FirstResumption<Value: Sendable>: Sendable {
  private let continuation: Mutex<CheckedContinuation<Value, Never>?>

  init(_ continuation: CheckedContinuation<Value, Never>) {
    self.continuation = Mutex(continuation)
  }

  func resume(_ value: Value) {
    let waiting = continuation.withLock { continuation in
      defer { continuation = nil }
      return continuation
    }
    waiting?.resume(returning: value)
  }
}

/// Ends a query from another thread.
final class Cancellation: Sendable {
  // The address of the `cdcmtk_cancellation`, which this object frees.
  private let address: UInt
  private let state = Mutex((isCancelled: false, handler: (@Sendable () -> Void)?.none))

  init() { address = UInt(bitPattern: cdcmtk_cancellation_create()) }

  deinit { cdcmtk_cancellation_free(pointer) }

  /// Nil where there was no memory for it.
  var pointer: OpaquePointer? { OpaquePointer(bitPattern: address) }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func cancel() {
    let handler = state.withLock { state in
      state.isCancelled = true
      defer { state.handler = nil }
      return state.handler
    }
    cdcmtk_cancel(pointer)
    handler?()
  }

  /// Calls the handler once it is cancelled, at once where it is already.
  func whenCancelled(_ handler: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      if !state.isCancelled { state.handler = handler }
      return state.isCancelled
    }
    if isCancelled { handler() }
  }
}

extension Peer {
  /// Calls `body` with the peer as C knows it, valid until it returns.
  func withC<Value>(
    callingAETitle: String, timeout: Int, _ body: (UnsafePointer<cdcmtk_peer>) -> Value
  ) -> Value {
    withCStrings([callingAETitle, aeTitle, host]) { texts in
      var address = cdcmtk_peer(
        calling_ae_title: texts[0], called_ae_title: texts[1], host: texts[2],
        port: UInt16(clamping: port), timeout: UInt32(clamping: timeout), tls: nil)
      guard let security else { return body(&address) }
      return security.withOptions { options in
        address.tls = options
        return body(&address)
      }
    }
  }
}

/// A C array of characters as text.
func text(of characters: some Any) -> String {
  withUnsafeBytes(of: characters) { bytes in
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
