import Foundation
import FoundationNetworking
import Synchronization

/// One request whose answer is handed over while it comes; redirections are not followed.
final class HTTPTransfer: NSObject, URLSessionDataDelegate, Sendable {
  struct Answer: Sendable {
    var status: Int
    var contentType: String
  }

  private struct State {
    var answer: Answer?
    var failure: DICOMwebError?
    var continuation: CheckedContinuation<Result<Answer, DICOMwebError>, Never>?
    var task: URLSessionDataTask?
    var isCancelled = false
  }

  private let url: String
  /// Takes the head, then each piece of the body; what it throws ends the transfer.
  private let receive: @Sendable (Answer, Data?) throws(DICOMwebError) -> Void
  private let state = Mutex(State())

  private init(
    url: String, receive: @escaping @Sendable (Answer, Data?) throws(DICOMwebError) -> Void
  ) {
    self.url = url
    self.receive = receive
  }

  /// - Parameters:
  ///   - request: what is asked.
  ///   - timeout: seconds without any byte.
  ///   - duration: seconds for everything.
  ///   - receive: takes the head of the answer, with nil, then each piece of the body.
  static func run(
    _ request: URLRequest, timeout: Double, duration: Double,
    receive: @escaping @Sendable (Answer, Data?) throws(DICOMwebError) -> Void
  ) async throws(DICOMwebError) -> Answer {
    let transfer = HTTPTransfer(url: request.url?.absoluteString ?? "", receive: receive)
    let settings = URLSessionConfiguration.ephemeral
    settings.timeoutIntervalForRequest = timeout
    settings.timeoutIntervalForResource = duration
    settings.httpShouldSetCookies = false
    settings.urlCache = nil
    let session = URLSession(configuration: settings, delegate: transfer, delegateQueue: nil)
    defer { session.finishTasksAndInvalidate() }
    let task = session.dataTask(with: request)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = transfer.state.withLock { state in
          state.continuation = continuation
          state.task = task
          return state.isCancelled
        }
        task.resume()
        if isCancelled { task.cancel() }
      }
    } onCancel: {
      let task = transfer.state.withLock { state in
        state.isCancelled = true
        return state.task
      }
      task?.cancel()
    }
    return try result.get()
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    // It would carry our credentials elsewhere.
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    guard let response = response as? HTTPURLResponse else { return completionHandler(.cancel) }
    let answer = Answer(
      status: response.statusCode,
      contentType: response.value(forHTTPHeaderField: "Content-Type") ?? "")
    state.withLock { $0.answer = answer }
    completionHandler(hand(answer, nil) ? .allow : .cancel)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let (answer, isOver) = state.withLock { ($0.answer, $0.failure != nil) }
    guard let answer, !isOver else { return }
    if !hand(answer, data) { dataTask.cancel() }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let (continuation, result) = state.withLock { state in
      defer { state.continuation = nil }
      return (state.continuation, self.result(state, error))
    }
    continuation?.resume(returning: result)
  }

  private func result(_ state: State, _ error: (any Error)?) -> Result<Answer, DICOMwebError> {
    if let failure = state.failure { return .failure(failure) }
    if state.isCancelled { return .failure(.cancelled) }
    if let error {
      let code = (error as? URLError)?.code
      let reason =
        switch code {
        case .timedOut: "it took too long"
        case .cannotConnectToHost: "the connection was refused"
        case .cannotFindHost: "the host is not known"
        case .networkConnectionLost: "the connection was lost"
        default: error.localizedDescription
        }
      return .failure(.unreachable(url: url, reason: reason))
    }
    guard let answer = state.answer else {
      return .failure(.unreachable(url: url, reason: "no answer came"))
    }
    return .success(answer)
  }

  private func hand(_ answer: Answer, _ data: Data?) -> Bool {
    do throws(DICOMwebError) {
      try receive(answer, data)
      return true
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
      return false
    }
  }
}
