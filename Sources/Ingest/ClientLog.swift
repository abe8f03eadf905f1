import Logging
import ServiceLifecycle

extension Intake {
  /// A logger for what clients do otherwise than over associations, as by HTTP: of each address, which is
  /// in the metadata, no more lines come through than of a peer.
  public var clientLogger: Logger {
    Logger(label: "segmentd") { _ in ClientLogHandler(peerLog, level: peerLog.level) }
  }

  /// Says from time to time how many lines were left out, where there is no ``Listener`` that does.
  public var logSummaries: any Service { LogSummaries(peerLog: peerLog) }
}

/// Hands lines to a ``PeerLog``.
private struct ClientLogHandler: LogHandler {
  private let peerLog: PeerLog
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(_ peerLog: PeerLog, level: Logger.Level) {
    self.peerLog = peerLog
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    peerLog.log(
      .requests, event.level, event.message.description, from: all["address"]?.description ?? "",
      metadata: all)
  }
}

private struct LogSummaries: Service {
  let peerLog: PeerLog

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while (try? await Task.sleep(for: .seconds(5))) != nil { peerLog.summarize() }
    }
    peerLog.summarize(isEnd: true)
  }
}
