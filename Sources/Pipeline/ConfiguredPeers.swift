import ConfigurationFile
import DICOM
import DICOMNetwork
import DICOMweb
import FileSystem
import Foundation
import JobLedger

extension ConfiguredParts {
  /// The query source of the configuration; nil where there is none.
  ///
  /// - Throws: `ConfigurationError` where a password or token cannot be read.
  public func querySource() throws -> (any QuerySource)? {
    switch configuration.querySource?.service {
    case .dimse(let settings)?: source(settings, configuration.querySource?.tls)
    case .dicomweb(let settings)?: try source(settings, configuration.querySource?.tls)
    case nil: nil
    }
  }

  private func source(
    _ settings: SiteConfiguration.QuerySource.DIMSE, _ tls: SiteConfiguration.PeerTLS?
  ) -> any QuerySource {
    if let fault = tls?.fault() { logger.error("\(fault)") }
    var reception = RetrievalReception(
      sopClasses: ImageStorage.sopClasses,
      transferSyntaxes: AssociationPolicy.decodedTransferSyntaxes, folder: state.incoming.path)
    // An archive may cost what a sender may.
    if let listener = configuration.listeners.first {
      reception.limits =
        AssociationPolicy(listener, diskReserve: state.diskReserve(listener.limits)).limits
    }
    let retrieval: DIMSEQuerySource.Retrieval =
      switch settings.retrieve {
      case .get: .get(reception, intake)
      case .move: .move(destination: aeTitle)
      }
    return DIMSEQuerySource(
      peer: Peer(settings, tls),
      callingAETitle: settings.callingAETitle ?? aeTitle, retrieval: retrieval)
  }

  private func source(
    _ settings: SiteConfiguration.QuerySource.DICOMweb, _ tls: SiteConfiguration.PeerTLS?
  ) throws -> any QuerySource {
    guard let url = URL(string: settings.url) else {
      throw ConfigurationError.invalid(
        file: settings.url, line: nil, message: "querySource.url is no URL")
    }
    return DICOMwebQuerySource(
      url: url, authorization: try settings.authorization,
      security: tls.map(DICOMwebClient.Security.init),
      intake: intake)
  }

  private func completion() throws -> SeriesCompletion? {
    try querySource().map { SeriesCompletion(source: $0, state: state, ledger: ledger) }
  }

  /// Asks the query source about each series; nil where there is none.
  public func completenessCheck() throws -> CompletenessCheck? {
    guard let settings = configuration.querySource, let completion = try completion() else {
      return nil
    }
    let quiet = configuration.assembly.quietSeconds
    return CompletenessCheck(
      ledger: ledger, completion: completion, quietPeriod: quiet,
      policy: CompletenessPolicy(
        patience: settings.patienceSeconds,
        processesUnconfirmed: settings.whenUnreachable == .process, settleTime: 2 * quiet),
      logger: logger)
  }

  /// Performs workitems of the worklist server; nil where there is none.
  ///
  /// - Throws: `ConfigurationError` where a password or token cannot be read.
  public func worklistPerformer() throws -> WorklistPerformer? {
    guard let settings = configuration.worklist else { return nil }
    guard let url = URL(string: settings.url) else {
      throw ConfigurationError.invalid(
        file: settings.url, line: nil, message: "worklist.url is no URL")
    }
    return WorklistPerformer(
      client: DICOMwebClient(
        url: url,
        authorization: try .init(
          user: settings.user, passwordFile: settings.passwordFile, tokenFile: settings.tokenFile,
          isPrivate: true),
        security: settings.tls.map(DICOMwebClient.Security.init)),
      ledger: ledger, state: state, source: try querySource(),
      settings: .init(
        station: settings.station, name: settings.station ?? aeTitle,
        interval: settings.intervalSeconds, patience: settings.patienceSeconds),
      logger: logger)
  }

  /// The storage commitment SCP; whoever has a listener has one of it.
  ///
  /// - Throws: `ConfigurationError` where a listener's head cannot be asked.
  public func storageCommitment() throws -> StorageCommitment {
    var addresses: [String: Peer] = [:]
    for destination in configuration.destinations {
      guard let peer = destination.dimse else { continue }
      addresses[peer.aeTitle] = Peer(peer, destination.tls)
    }
    if let source = configuration.querySource, let dimse = source.dimse {
      addresses[dimse.aeTitle] = Peer(dimse, source.tls)
    }
    for peer in configuration.storageCommitment.peers {
      addresses[peer.aeTitle] = Peer(
        aeTitle: peer.aeTitle, host: peer.host, port: peer.port, security: peer.tls?.security)
    }
    // What a listener has purged, the head may hold.
    var further: (@Sendable ([CommitmentRecord.Reference]) async throws -> [Int?])?
    if let head = try handoverSending() { further = { try await head.failureReasons($0) } }
    return StorageCommitment(
      ledger: ledger, state: state, addresses: addresses, callingAETitle: aeTitle, logger: logger,
      further: further)
  }
}

extension Peer {
  fileprivate init(
    _ settings: SiteConfiguration.QuerySource.DIMSE, _ tls: SiteConfiguration.PeerTLS?
  ) {
    self.init(
      aeTitle: settings.aeTitle, host: settings.host, port: settings.port,
      security: tls?.security)
  }
}
