import ConfigurationFile
import DICOMweb
import Foundation
import JobLedger
import ServiceLifecycle
import WebServer

extension ConfiguredParts {
  /// Hands over to the head; nil where this is no listener.
  ///
  /// - Throws: `ConfigurationError` where the address of the head is none.
  func handoverSending() throws -> HandoverSending? {
    guard let head = configuration.handover.to else { return nil }
    guard let url = URL(string: head.url) else {
      throw ConfigurationError.invalid(
        file: head.url, line: nil, message: "handover.to.url is no URL")
    }
    var limits = DICOMwebClient.Limits()
    limits.timeout = 30
    return HandoverSending(ledger: ledger, state: state, logger: logger) { [limits] in
      DICOMwebClient(
        url: url,
        authorization: try .init(
          user: nil, passwordFile: nil, tokenFile: head.tokenFile, isPrivate: true),
        security: head.tls.map(DICOMwebClient.Security.init), limits: limits)
    }
  }

  /// What takes handovers; empty where this is no head.
  var handoverRoutes: [any WebRoutes] {
    guard !configuration.handover.from.isEmpty else { return [] }
    return HandoverReception(
      intake: intake, ledger: ledger, state: state, diskReserve: diskReserve,
      logger: intake.clientLogger
    ).routes
  }

  /// Nil where this is no head and never was: what is awaited of a listener that was left out of the
  /// configuration is not awaited for ever.
  var listenerWatch: ListenerWatch? {
    let isKnown = (try? ledger.listeners().isEmpty) == false
    guard !configuration.handover.from.isEmpty || isKnown else { return nil }
    return ListenerWatch(
      ledger: ledger, patience: configuration.handover.patienceSeconds, logger: logger)
  }

  /// Has a state directory serve one role: a listener hands over everything that it has ever recorded.
  ///
  /// - Throws: `ConfigurationError` where it has served another one, or `LedgerError`.
  func takeRole() throws {
    let isListeners = try ledger.handoverRun() != nil
    switch configuration.role {
    case .listener where !isListeners:
      guard try ledger.isEmpty() else {
        throw ConfigurationError.invalid(
          file: configuration.stateDirectory, line: nil,
          message: "it has the ledger of a daemon that is no listener; give the listener a state "
            + "directory of its own")
      }
      try ledger.beginHandover()
    case .all where isListeners, .head where isListeners:
      throw ConfigurationError.invalid(
        file: configuration.stateDirectory, line: nil,
        message: "it has the ledger of a listener, which hands over what it receives: add "
          + "handover.to, or take another state directory")
    default: break
    }
  }
}
