import FileSystem
import Foundation
import Ingest
import JobLedger
import Traces
import WebServer

/// Health, readiness and metrics for whoever watches the daemon; none has a UID or anything of a patient.
struct Monitoring: Sendable {
  let state: StateDirectory
  let statistics: LedgerStatisticsReader
  /// Bytes that stay free on the disk.
  let diskReserve: Int
  /// Opens when the ledger is known to be sound.
  let gate: Gate
  /// What became of traces; nil where none are sent.
  let traces: TraceExporter?
  /// The folder that is shared with the nodes of a cluster; nil where jobs are computed here.
  var clusterFolder: URL?

  /// Load balancers and supervisors have no password; they learn a few words.
  var pages: [TextPage] {
    [
      TextPage("/healthz", isOpen: true) { .ok("ok\n") },
      TextPage("/readyz", isOpen: true) {
        fault().map { .unavailable("\($0)\n") } ?? .ok("ready\n" + notes())
      },
      TextPage("/metrics", isOpen: false, contentType: "text/plain; version=0.0.4; charset=utf-8") {
        .ok(metrics())
      },
    ]
  }

  /// Why nothing is taken at the moment; nil where it is.
  private func fault() -> String? {
    guard gate.isOpen else { return "the ledger is being checked" }
    if let free = DiskSpace(of: state.url.path)?.available, free < diskReserve {
      return "the disk of the state directory has less free than its reserve"
    }
    do throws(LedgerError) {
      _ = try statistics.read()
      return nil
    } catch {
      return "the ledger cannot be read"
    }
  }

  /// What is wrong and no reason not to send images.
  private func notes() -> String {
    let checks = (try? statistics.read().goldenChecks) ?? []
    return checks.contains { $0.outcome == .failed }
      ? "note: the last golden check of a model failed\n" : ""
  }

  private func metrics() -> String {
    var text = MetricsText()
    text.addProcess(isReady: fault() == nil, disk: DiskSpace(of: state.url.path), diskReserve)
    if let traces { text.add(traces.counts) }
    do throws(LedgerError) { text.add(try statistics.read()) } catch {
      // segmentd_ready says so.
    }
    if let clusterFolder { text.addCluster(excludedNodes: excludedNodes(clusterFolder)) }
    return text.text
  }

  private func excludedNodes(_ folder: URL) -> Int {
    guard let ledger = SlurmJobFolders.knownLedger(of: state) else { return 0 }
    return SlurmExclusion.all(of: ledger, in: folder).count { $0.isActive(at: Date()) }
  }
}
