import DICOMNetwork
import Logging
import ServiceLifecycle

/// The storage SCP as a service of the daemon.
public struct Listener: Service {
  private let scp: StorageSCP

  /// Starts to listen, so that a port that is taken is known before anything else starts.
  public init(_ configuration: StorageSCPConfiguration, intake: Intake, logger: Logger)
    throws(NetworkError)
  {
    scp = try StorageSCP(configuration, handler: intake) { event in
      let metadata: Logger.Metadata = [
        "peer": "\(event.callingAETitle)", "address": "\(event.peerAddress)",
      ]
      switch event.kind {
      case .accepted: logger.debug("association accepted", metadata: metadata)
      case .released:
        logger.info(
          "association released: \(event.stored) stored, \(event.refused) refused",
          metadata: metadata)
      case .rejected:
        logger.warning("association rejected: \(event.message)", metadata: metadata)
      case .aborted, .failed:
        logger.warning(
          "association ended: \(event.message); \(event.stored) stored, \(event.refused) refused",
          metadata: metadata)
      }
    }
  }

  public func run() async throws {
    try? await gracefulShutdown()
    await scp.stop()
  }
}
