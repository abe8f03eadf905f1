import ConfigurationFile
import Traces
import WebClient

extension Diagnosis {
  /// Whether the receiver of traces answers; it is sent a request without any.
  func traceFindings() async -> [Finding] {
    guard let receiver = configuration.traceReceiver else { return [] }
    let subject = "traces"
    do {
      return [
        .good(subject, try await TraceExporter.check(receiver, configuration.traceResource))
      ]
    } catch let error as ServiceError {
      let advice =
        switch error {
        case .refused(_, 404, _): "mend the path of tracing.url: usually /v1/traces"
        default: error.advice
        }
      // Nothing else depends on it.
      return [.warning(subject, error.description, advice)]
    } catch {
      return [.warning(subject, "\(error)", "check whether the receiver is running")]
    }
  }
}
