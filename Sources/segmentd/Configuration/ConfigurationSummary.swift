import ConfigurationFile
import Foundation
import SeriesProcessing
import Wording

/// What `config check` says of a configuration in which nothing is wrong.
struct ConfigurationSummary: Encodable {
  struct Part: Encodable {
    /// As in the text: listener, watch folder, destination …
    var kind: String
    /// Where it is, and what is special about it.
    var text: String
  }

  var file: String
  var stateDirectory: String
  var parts: [Part]
  /// What is no fault and hardly meant.
  var warnings: [String]

  init(_ configuration: SiteConfiguration, file: String) {
    self.file = file
    stateDirectory = configuration.stateDirectory
    warnings = configuration.warnings
    parts =
      Self.entrances(configuration) + Self.handover(configuration) + Self.models(configuration)
      + [Self.nightlyCheck(configuration)] + Self.peers(configuration)
  }

  private static func entrances(_ configuration: SiteConfiguration) -> [Part] {
    var parts = configuration.listeners.map { listener in
      Part(
        kind: "listener",
        text: "\(listener.aeTitle) on \(listener.address):\(listener.port)"
          + (listener.tls == nil ? "" : ", TLS"))
    }
    if let web = configuration.web {
      let server = "\(web.tls == nil ? "http" : "https")://\(web.address):\(web.port)"
      if web.stow { parts.append(Part(kind: "STOW-RS", text: server + web.prefix)) }
      if web.dashboard != nil { parts.append(Part(kind: "dashboard", text: "\(server)/")) }
      if web.monitoring { parts.append(Part(kind: "metrics", text: "\(server)/metrics")) }
    }
    return parts + configuration.watch.map { Part(kind: "watch folder", text: $0.folder) }
  }

  private static func handover(_ configuration: SiteConfiguration) -> [Part] {
    let head = configuration.handover.to.map { Part(kind: "hands over to", text: $0.url) }
    return [head].compactMap { $0 }
      + configuration.handover.from.map { Part(kind: "takes over from", text: $0.name) }
  }

  private static func models(_ configuration: SiteConfiguration) -> [Part] {
    let everyModel = ModelLibrary(
      directories: configuration.models.directories.map { URL(fileURLWithPath: $0) }, threads: 1)
    return configuration.modelRules.map { Part(kind: "model", text: $0.model) }
      + configuration.models.exclude.map { name in
        let isKnown = everyModel.bundles[name] != nil
        return Part(
          kind: "excluded model",
          text: name + (isKnown ? "" : " (there is no model of that name)"))
      }
  }

  private static func nightlyCheck(_ configuration: SiteConfiguration) -> Part {
    Part(
      kind: "nightly check",
      text: configuration.nightlyCheck.map {
        "from \($0.hour):00, each model of a rule that comes with a golden case"
      } ?? "off (nightlyCheck)")
  }

  private static func peers(_ configuration: SiteConfiguration) -> [Part] {
    var parts: [Part] = []
    switch configuration.querySource?.service {
    case .dimse(let source)?:
      parts.append(
        Part(
          kind: "query source",
          text: "\(source.aeTitle) at \(source.host):\(source.port), "
            + "C-\(source.retrieve.rawValue.uppercased())"))
    case .dicomweb(let source)?:
      parts.append(Part(kind: "query source", text: "\(source.url), DICOMweb"))
    case nil: break
    }
    parts += configuration.storageCommitment.peers.map {
      Part(kind: "storage commitment reports", text: "\($0.aeTitle) at \($0.host):\($0.port)")
    }
    parts += configuration.destinations.map { destination in
      let isSecured = destination.dimse != nil && destination.tls != nil
      return Part(
        kind: "destination",
        text: "\(destination.name) = \(destination.place)" + (isSecured ? ", TLS" : "")
          + (destination.verify == .none ? "" : ", verified by \(destination.verify.rawValue)"))
    }
    parts += configuration.notifications.recipients.map {
      Part(kind: "notifications", text: "\($0.name) = \($0.place)")
    }
    if configuration.audit.keepDays > 0 {
      parts.append(
        Part(
          kind: "audit log",
          text:
            "\(configuration.stateDirectory)/audit, \(counted(configuration.audit.keepDays, "day"))"
        ))
    }
    if let syslog = configuration.audit.syslog {
      parts.append(
        Part(
          kind: "audit log",
          text: "\(syslog.host):\(syslog.port), syslog by \(syslog.transport.rawValue)"))
    }
    if let tracing = configuration.tracing {
      parts.append(Part(kind: "traces", text: tracing.url))
    }
    return parts
  }

  var text: String {
    (["\(file): no fault found", "state directory: \(stateDirectory)"]
      + parts.map { "\($0.kind): \($0.text)" } + warnings.map { "warning: \($0)" }).joined(
        separator: "\n")
  }
}
