import CDCMTK
import DICOM
import Dispatch
import Synchronization

/// How the listener listens.
public struct StorageSCPConfiguration: Sendable {
  public var aeTitle: String
  public var address: String
  public var port: Int
  /// A folder on the file system where received objects will stay.
  public var folder: String
  /// AE titles that may call; empty admits all.
  public var callingAETitles: [String] = []
  public var maximumAssociations = 16
  /// Seconds that a caller has to send its association request.
  public var requestTimeout = 5
  /// Seconds of silence after which an association is aborted.
  public var idleTimeout = 120

  public init(aeTitle: String, address: String, port: Int, folder: String) {
    self.aeTitle = aeTitle
    self.address = address
    self.port = port
    self.folder = folder
  }
}

/// A storage SCP for CT and MR images, with verification (PS3.4 A and B).
public final class StorageSCP: Sendable {
  private let handlers: Handlers
  // The address of the running `cdcmtk_scp`, 0 once somebody stops it.
  private let scp: Atomic<UInt>

  /// Starts to listen.
  ///
  /// - Throws: ``NetworkError/cannotListen(address:port:reason:)`` where the port is taken.
  public init(
    _ configuration: StorageSCPConfiguration, handler: any StoreHandler,
    onEvent: @escaping @Sendable (AssociationEvent) -> Void
  ) throws(NetworkError) {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    handlers = Handlers(handler: handler, onEvent: onEvent)
    var error = cdcmtk_error()
    var started: OpaquePointer?
    let code = Self.start(configuration, handlers, &started, &error)
    guard code == CDCMTK_OK.rawValue, let started else {
      throw .cannotListen(
        address: configuration.address, port: configuration.port, reason: error.text)
    }
    scp = Atomic(UInt(bitPattern: started))
  }

  deinit { stopNow() }

  /// Takes no further association and returns when the open ones have ended: those that wait for
  /// a command at once, a C-STORE on its way within 20 seconds.
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
    _ configuration: StorageSCPConfiguration, _ handlers: Handlers,
    _ started: inout OpaquePointer?, _ error: inout cdcmtk_error
  ) -> Int32 {
    withCStrings(configuration.callingAETitles) { calling in
      withCStrings(AcceptedObjects.sopClasses) { classes in
        withCStrings(AcceptedObjects.transferSyntaxes) { syntaxes in
          withCStrings([configuration.aeTitle, configuration.address, configuration.folder]) {
            texts in
            var options = cdcmtk_scp_options()
            options.ae_title = texts[0]
            options.address = texts[1]
            options.folder = texts[2]
            options.port = UInt16(clamping: configuration.port)
            options.calling_ae_titles = calling.baseAddress
            options.calling_ae_title_count = calling.count
            options.sop_classes = classes.baseAddress
            options.sop_class_count = classes.count
            options.transfer_syntaxes = syntaxes.baseAddress
            options.transfer_syntax_count = syntaxes.count
            options.maximum_associations = UInt32(clamping: configuration.maximumAssociations)
            options.request_timeout = UInt32(clamping: configuration.requestTimeout)
            options.idle_timeout = UInt32(clamping: configuration.idleTimeout)
            options.store = { Handlers.at($0)?.store($1) ?? StoreStatus.outOfResources.rawValue }
            options.event = { Handlers.at($0)?.tell($1) }
            // `stop` joins every thread that uses the handlers, and self keeps them until then.
            options.context = Unmanaged.passUnretained(handlers).toOpaque()
            return cdcmtk_scp_start(&options, &started, &error)
          }
        }
      }
    }
  }
}

/// Text that a peer may have chosen, fit for one line of a log.
private func oneLine(_ text: UnsafePointer<CChar>) -> String {
  String(cString: text).unicodeScalars
    .map { (32..<127).contains($0.value) ? String($0) : " " }.joined()
}

/// What DCMTK's threads call.
private final class Handlers: Sendable {
  private let handler: any StoreHandler
  private let onEvent: @Sendable (AssociationEvent) -> Void

  init(handler: any StoreHandler, onEvent: @escaping @Sendable (AssociationEvent) -> Void) {
    self.handler = handler
    self.onEvent = onEvent
  }

  static func at(_ context: UnsafeMutableRawPointer?) -> Handlers? {
    context.map { Unmanaged<Handlers>.fromOpaque($0).takeUnretainedValue() }
  }

  func store(_ object: UnsafePointer<cdcmtk_received>?) -> UInt16 {
    guard let object = object?.pointee else { return StoreStatus.outOfResources.rawValue }
    return handler.store(
      ReceivedObject(
        path: String(cString: object.path), sopClassUID: String(cString: object.sop_class_uid),
        sopInstanceUID: String(cString: object.sop_instance_uid),
        transferSyntaxUID: String(cString: object.transfer_syntax_uid),
        callingAETitle: oneLine(object.calling_ae_title),
        peerAddress: String(cString: object.peer_address))
    ).rawValue
  }

  func tell(_ event: UnsafePointer<cdcmtk_event>?) {
    guard let event = event?.pointee, let kind = AssociationEvent.Kind(rawValue: event.kind)
    else { return }
    onEvent(
      AssociationEvent(
        kind: kind, callingAETitle: oneLine(event.calling_ae_title),
        peerAddress: oneLine(event.peer_address), message: oneLine(event.message),
        stored: Int(event.stored),
        refused: Int(event.refused)))
  }
}
