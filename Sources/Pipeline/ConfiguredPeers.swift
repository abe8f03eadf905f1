import Configuration
import DICOM
import DICOMNetwork
import JobLedger

extension ConfiguredParts {
  /// The query source of the configuration; nil where there is none.
  public var querySource: (any QuerySource)? {
    guard let settings = configuration.querySource else { return nil }
    let retrieval: DIMSEQuerySource.Retrieval =
      switch settings.retrieve {
      case .get:
        .get(
          RetrievalReception(
            sopClasses: ImageStorage.sopClasses,
            transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes,
            folder: state.incoming.path), intake)
      case .move: .move(destination: aeTitle)
      }
    return DIMSEQuerySource(
      peer: Peer(aeTitle: settings.aeTitle, host: settings.host, port: settings.port),
      callingAETitle: settings.callingAETitle ?? aeTitle, retrieval: retrieval)
  }

  public var completion: SeriesCompletion? {
    querySource.map { SeriesCompletion(source: $0, state: state, ledger: ledger) }
  }

  /// Asks the query source about each series; nil where there is none.
  public var completenessCheck: CompletenessCheck? {
    guard let settings = configuration.querySource, let completion else { return nil }
    let quiet = configuration.assembly.quietSeconds
    return CompletenessCheck(
      ledger: ledger, completion: completion, quietPeriod: quiet,
      policy: CompletenessPolicy(
        patience: settings.patienceSeconds,
        processesUnconfirmed: settings.whenUnreachable == .process, settleTime: 2 * quiet),
      logger: logger)
  }

  /// The storage commitment SCP; whoever has a listener has one of it.
  public func storageCommitment() -> StorageCommitment {
    var addresses: [String: Peer] = [:]
    for peer in configuration.destinations {
      addresses[peer.aeTitle] = Peer(aeTitle: peer.aeTitle, host: peer.host, port: peer.port)
    }
    if let source = configuration.querySource {
      addresses[source.aeTitle] = Peer(
        aeTitle: source.aeTitle, host: source.host, port: source.port)
    }
    for peer in configuration.storageCommitment.peers {
      addresses[peer.aeTitle] = Peer(aeTitle: peer.aeTitle, host: peer.host, port: peer.port)
    }
    return StorageCommitment(
      ledger: ledger, state: state, addresses: addresses, callingAETitle: aeTitle, logger: logger)
  }
}
