import ConfigurationFile
import DICOM
import DICOMNetwork
import FileSystem
import Ingest

extension AssociationPolicy {
  /// - Parameters:
  ///   - settings: of a listener.
  ///   - diskReserve: in bytes.
  init(_ settings: SiteConfiguration.Listener, diskReserve: Int) {
    self.init(
      calledAETitle: settings.aeTitle,
      sopClasses: ImageStorage.sopClasses + settings.sopClasses.stored,
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes)
    callers =
      settings.callingAETitles.map { Caller(aeTitle: $0) }
      + settings.peers.map {
        Caller(aeTitle: $0.aeTitle, addresses: $0.addresses.compactMap(AddressRange.init))
      }
    limits = PeerLimits(settings, diskReserve: diskReserve)
  }
}

extension PeerLimits {
  fileprivate init(_ settings: SiteConfiguration.Listener, diskReserve: Int) {
    self.init()
    let limits = settings.limits
    associations = settings.maximumAssociations
    associationsPerAddress = limits.associationsPerAddress
    waitingConnections = limits.waitingConnections
    waitingConnectionsPerAddress = limits.waitingConnectionsPerAddress
    requestSeconds = limits.requestSeconds
    idleSeconds = limits.idleSeconds
    pduSeconds = limits.pduSeconds
    objectSeconds = limits.objectSeconds
    objectBytes = byteCount(gigabytes: limits.objectGB)
    self.diskReserve = diskReserve
  }
}

extension StateDirectory {
  /// What stays free on the disk, in bytes: the most that one of the listeners leaves.
  func diskReserve(_ listeners: [SiteConfiguration.Listener]) -> Int {
    listeners.map { diskReserve($0.limits) }.max() ?? diskReserve(gigabytes: nil)
  }

  /// What a listener leaves free on the disk, in bytes: 1 GB where nothing is configured, and no more
  /// than 5 % of a small file system.
  func diskReserve(_ limits: SiteConfiguration.Limits) -> Int {
    diskReserve(gigabytes: limits.diskReserveGB)
  }

  func diskReserve(gigabytes configured: Double?) -> Int {
    if let configured { return byteCount(gigabytes: configured) }
    return Int(min(1e9, Double(DiskSpace(of: url.path)?.size ?? 0) * 0.05))
  }
}
