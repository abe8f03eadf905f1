import CDCMTK
import DICOM
import Dispatch
import Synchronization

/// Where a listener listens, and to whom.
public struct StorageSCPConfiguration: Sendable {
  public var address: String
  public var port: Int
  /// A folder on the file system where received objects will stay.
  public var folder: String
  public var policy: AssociationPolicy
  /// Nil for plain TCP.
  public var security: TransportSecurity?

  public init(
    address: String, port: Int, folder: String, policy: AssociationPolicy,
    security: TransportSecurity? = nil
  ) {
    self.address = address
    self.port = port
    self.folder = folder
    self.policy = policy
    self.security = security
  }
}

/// A storage SCP with verification (PS3.4 A and B) and, where it has a handler, storage commitment
/// (PS3.4 J).
///
/// ```swift
/// let policy = AssociationPolicy(
///   calledAETitle: "SEGMENTD", sopClasses: ["1.2.840.10008.5.1.4.1.1.4"],
///   transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes)
/// let scp = try StorageSCP(
///   StorageSCPConfiguration(
///     address: "127.0.0.1", port: 11112, folder: "/var/lib/segmentd/incoming", policy: policy),
///   handlers: DIMSEHandlers(store: handler) { event in print(event) })
/// // … until the program ends:
/// await scp.stop()
/// ```
public final class StorageSCP: Sendable {
  private let callbacks: Callbacks
  // The address of the running `cdcmtk_scp`, 0 once it is being stopped.
  private let scp: Atomic<UInt>

  /// Starts to listen.
  ///
  /// - Throws: ``DICOMNetworkError/cannotListen(address:port:reason:)`` where the port is taken, or
  ///   certificate or key cannot be used.
  public init(
    _ configuration: StorageSCPConfiguration, handlers: DIMSEHandlers
  ) throws(DICOMNetworkError) {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    callbacks = Callbacks(handlers, policy: configuration.policy)
    var error = cdcmtk_error()
    var started: OpaquePointer?
    let code = Self.start(configuration, callbacks, &started, &error)
    guard code == CDCMTK_OK.rawValue, let started else {
      throw .cannotListen(
        address: configuration.address, port: configuration.port, reason: error.text)
    }
    scp = Atomic(UInt(bitPattern: started))
  }

  deinit { stopNow() }

  /// A number that grows several times a second while connections are taken; nil once it was stopped.
  public var beat: UInt64? {
    scp.load(ordering: .acquiring) == 0 ? nil : callbacks.beatCount
  }

  /// Takes no further association and returns when the open ones have ended: those that wait for
  /// a command at once, a C-STORE on its way within 3 seconds.
  public func stop() async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        self.stopNow()
        continuation.resume()
      }
    }
  }

  private func stopNow() {
    let running = scp.exchange(0, ordering: .acquiringAndReleasing)
    cdcmtk_scp_stop(OpaquePointer(bitPattern: running))
  }

  private static func start(
    _ configuration: StorageSCPConfiguration, _ callbacks: Callbacks,
    _ started: inout OpaquePointer?, _ error: inout cdcmtk_error
  ) -> Int32 {
    let policy = configuration.policy
    return withCStrings(policy.sopClasses) { classes in
      withCStrings(policy.transferSyntaxes) { syntaxes in
        withCStrings([configuration.address, configuration.folder]) { texts in
          var options = cdcmtk_scp_options()
          options.address = texts[0]
          options.folder = texts[1]
          options.port = UInt16(clamping: configuration.port)
          options.sop_classes = classes.baseAddress
          options.sop_class_count = classes.count
          options.transfer_syntaxes = syntaxes.baseAddress
          options.transfer_syntax_count = syntaxes.count
          options.limits = policy.limits.limits
          callbacks.set(&options)
          return callbacks.withCommitment { commitment in
            options.commitment = commitment
            guard let security = configuration.security else {
              return cdcmtk_scp_start(&options, &started, &error)
            }
            return security.withOptions { tls in
              options.tls = tls
              return cdcmtk_scp_start(&options, &started, &error)
            }
          }
        }
      }
    }
  }
}
