import ConfigurationFile
import Foundation
import JobLedger
import Segmentation
import SeriesProcessing
import Traces
import WebClient

extension SiteConfiguration {
  /// Who takes traces; nil where nobody does.
  var traceReceiver: JSONService? {
    tracing.map { tracing in
      JSONService(
        url: tracing.url, tokenFile: tracing.tokenFile, tls: tracing.tls.map(ServiceTLS.init),
        timeoutSeconds: tracing.timeoutSeconds)
    }
  }

  var traceResource: TraceResource {
    TraceResource(
      installation: installation, host: ProcessInfo.processInfo.hostName,
      version: SegmentdVersion.current)
  }
}

extension ConfiguredParts {
  /// Sends traces; nil where nobody takes them.
  func traceExporter() -> TraceExporter? {
    configuration.traceReceiver.map { receiver in
      TraceExporter(
        ledger: ledger, receiver: receiver, resource: configuration.traceResource,
        stages: Stage.allCases.map(\.rawValue), logger: logger)
    }
  }
}

extension ServiceTLS {
  init(_ tls: SiteConfiguration.PeerTLS) {
    self.init(
      trusted: tls.trusted, certificate: tls.certificate, key: tls.key,
      verifiesServer: tls.verifyPeer)
  }
}

extension MetricsText {
  /// What became of traces, where there is somebody who takes them.
  mutating func add(_ traces: TraceCounts) {
    add(
      "segmentd_trace_spans_total", .counter,
      "Spans of traces that their receiver took, and those that were left out as it did not.",
      [
        (["outcome": "sent"], Double(traces.sent)),
        (["outcome": "dropped"], Double(traces.dropped)),
      ])
    add(
      "segmentd_trace_events_waiting", .gauge,
      "Events of the ledger whose spans the receiver of traces does not have yet.",
      [([:], Double(traces.waitingEvents))])
  }
}
