import ConfigurationFile
import DICOMNetwork
import DICOMweb
import FileSystem
import Foundation
import Ingest
import JobLedger
import Results
import SeriesReading
import SeriesSelection

extension ConfiguredParts {
  /// - Throws: `ConfigurationError`, `DeidentificationError`
  ///
  /// - Parameter willSend: is told what is being sent; must not block.
  public func delivery(
    willSend: @escaping @Sendable (ClaimedDelivery) -> Void = { _ in }
  ) throws -> Delivery {
    var destinations: [String: any ResultDestination] = [:]
    for settings in configuration.destinations {
      if let fault = settings.tls?.fault() { logger.error("\(fault)") }
      var destination: any ResultDestination =
        switch settings.service {
        case .dimse(let dimse):
          DIMSEDestination(
            peer: Peer(dimse, settings.tls), callingAETitle: aeTitle, proof: settings.proof,
            timeout: settings.timeoutSeconds)
        case .stow(let web): try self.destination(web, settings)
        }
      if configuration.onEarlierResult(at: settings) == .add {
        destination = AddingDestination(destination: destination, folder: state.added)
      }
      destinations[settings.name] =
        settings.deidentify ? try deidentifying(destination) : destination
    }
    var delivery = Delivery(
      state: state, ledger: ledger, destinations: destinations, logger: logger)
    delivery.willSend = willSend
    return delivery
  }

  private func deidentifying(_ destination: any ResultDestination) throws -> any ResultDestination {
    DeidentifyingDestination(
      destination: destination,
      deidentifier: Deidentifier(key: try DeidentificationKey(file: state.deidentificationKey)),
      folder: state.deidentified)
  }

  private func destination(
    _ web: SiteConfiguration.Destination.STOW, _ settings: SiteConfiguration.Destination
  ) throws -> STOWDestination {
    guard let url = URL(string: web.url) else {
      throw ConfigurationError.invalid(
        file: web.url, line: nil, message: "destinations.\(settings.name).url is no URL")
    }
    return STOWDestination(
      url: url,
      authorization: { () throws(DeliveryFault) in
        do throws(ConfigurationError) { return try web.authorization } catch {
          throw DeliveryFault(description: error.description)
        }
      },
      security: settings.tls.map(DICOMwebClient.Security.init), timeout: settings.timeoutSeconds,
      isAskedForProof: settings.proof != nil)
  }

  /// Which destinations get the result of a job.
  var routing: ResultRouting {
    let rules = configuration.modelRules
    let routes = configuration.destinations.map { settings in
      var route = ResultRouting.Route(
        DeliveryTarget(settings.name, kinds: settings.objectKinds))
      route.models = settings.models.map { Set($0) }
      route.rules = settings.rules.map { names in rules.filter { names.contains($0.name) } }
      route.criteria = settings.criteria
      return route
    }
    return ResultRouting(routes) { [ledger, state, geometry = configuration.geometryRules] job in
      var files = SeriesFiles(try ledger.instances(job: job.id), in: state)
      files.stackedWith = try ledger.stackedSeries(job: job.id).map { SeriesFiles($0, in: state) }
      return try SourceSeries(files, geometry: geometry).facts
    }
  }
}

extension SiteConfiguration.Destination {
  fileprivate var proof: ProofOfArrival? {
    switch verify {
    case .none: nil
    case .query: .query
    case .commitment: .commitment
    }
  }
}

extension Peer {
  init(_ settings: SiteConfiguration.Destination.DIMSE, _ tls: SiteConfiguration.PeerTLS?) {
    self.init(
      aeTitle: settings.aeTitle, host: settings.host, port: settings.port,
      security: tls?.security)
  }
}

extension DICOMwebClient.Security {
  init(_ tls: SiteConfiguration.PeerTLS) {
    self.init(
      trusted: tls.trusted, certificate: tls.certificate, key: tls.key,
      verifiesServer: tls.verifyPeer)
  }
}
