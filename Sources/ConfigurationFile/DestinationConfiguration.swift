import Foundation
import SeriesSelection
import StrictYAML

extension SiteConfiguration {
  /// Where results are sent.
  public struct Destination: Decodable, Sendable {
    /// How results are sent.
    public enum Service: Sendable, Equatable {
      case dimse(DIMSE)
      case stow(STOW)
    }

    private enum Kind: String, YAMLChoice { case dimse, stow }

    /// A DICOM application with C-STORE.
    public struct DIMSE: Sendable, Equatable {
      public var aeTitle: String
      public var host: String
      public var port: Int
    }

    /// A server with STOW-RS.
    public struct STOW: Sendable, Equatable {
      public var url: String
      public var user: String?
      /// A file whose first line is the password of `user`.
      public var passwordFile: String?
      /// A file whose first line is a bearer token.
      public var tokenFile: String?
    }

    /// How it is proved that the destination keeps what it took.
    public enum Verification: String, YAMLChoice, Sendable {
      /// Its answer to the sending is believed.
      case none
      /// It is asked whether it lists the objects, by C-FIND or QIDO-RS.
      case query
      /// Storage commitment (PS3.4 J).
      case commitment
    }

    public static let defaultTimeoutSeconds = 30

    /// A kind of object, as the ledger names it.
    public enum ObjectKind: String, YAMLChoice, Sendable {
      case segmentation = "seg"
      case report = "sr"
      case capture, labelmap, rtstruct
      /// Probabilities, which a destination gets only where it says so.
      case fractional
    }

    public var name: String
    public var service: Service
    /// Nil for plain TCP, or, with `https`, for the authorities that the system trusts.
    public var tls: PeerTLS?
    public var verify = Verification.none
    /// Seconds for the connection, the association and each answer.
    public var timeoutSeconds = Destination.defaultTimeoutSeconds
    /// Whether it gets de-identified copies, by the basic profile of PS3.15 E.
    public var deidentify = false
    /// Kinds of objects that it gets; nil for all but `fractional`.
    public var takes: [ObjectKind]?
    /// Whether it gets each image of the captures as an object of its own, in place of one object of all.
    public var singleFrames = false
    /// What a new result of images that have one already does to that here; nil for what
    /// ``Results/onEarlierResult`` says.
    public var onEarlierResult: Results.OnEarlierResult?
    /// Models whose results it gets; nil for all.
    public var models: [String]?
    /// Names of rules; it gets the results of those that select the series for the model. Nil for all.
    public var rules: [String]?
    /// What the source series has to be; its preferences are empty.
    public var criteria: SeriesCriteria

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case name, kind, aeTitle, host, port, url, user, passwordFile, tokenFile
      case tls, verify, timeoutSeconds, deidentify, takes, singleFrames, models, rules, require
      case onEarlierResult
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      let kind = try values.decodeIfPresent(Kind.self, forKey: .kind) ?? .dimse
      let others: [CodingKeys] =
        kind == .stow ? [.aeTitle, .host, .port] : [.url, .user, .passwordFile, .tokenFile]
      for key in others where values.contains(key) {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: values, debugDescription: "means nothing with kind: \(kind.rawValue)")
      }
      switch kind {
      case .dimse:
        service = .dimse(
          DIMSE(
            aeTitle: try values.decode(String.self, forKey: .aeTitle),
            host: try values.decode(String.self, forKey: .host),
            port: try values.decode(Int.self, forKey: .port)))
      case .stow:
        service = .stow(
          STOW(
            url: try values.decode(String.self, forKey: .url),
            user: try values.decodeIfPresent(String.self, forKey: .user),
            passwordFile: try values.decodeIfPresent(String.self, forKey: .passwordFile),
            tokenFile: try values.decodeIfPresent(String.self, forKey: .tokenFile)))
      }
      tls = try values.decodeIfPresent(PeerTLS.self, forKey: .tls)
      verify = try values.decodeIfPresent(Verification.self, forKey: .verify) ?? verify
      timeoutSeconds =
        try values.decodeIfPresent(Int.self, forKey: .timeoutSeconds) ?? timeoutSeconds
      deidentify = try values.decodeIfPresent(Bool.self, forKey: .deidentify) ?? deidentify
      takes = try values.decodeIfPresent([ObjectKind].self, forKey: .takes)
      singleFrames = try values.decodeIfPresent(Bool.self, forKey: .singleFrames) ?? singleFrames
      onEarlierResult = try values.decodeIfPresent(
        Results.OnEarlierResult.self, forKey: .onEarlierResult)
      models = try values.decodeIfPresent([String].self, forKey: .models)
      rules = try values.decodeIfPresent([String].self, forKey: .rules)
      criteria = try SeriesCriteria(amongKeysOf: decoder)
    }

    /// The DICOM application, where it is one.
    public var dimse: DIMSE? {
      guard case .dimse(let dimse) = service else { return nil }
      return dimse
    }

    /// The kinds of objects that it gets, as the ledger names them; nil for all but images of captures as
    /// objects of their own. Captures show the images' pixels, which are not de-identified.
    public var objectKinds: Set<String>? {
      guard takes != nil || singleFrames || deidentify else { return nil }
      let all = ObjectKind.allCases.filter {
        $0 != .fractional && (!deidentify || $0 != .capture)
      }
      let kinds = (takes ?? all).flatMap { kind in
        kind == .capture
          ? [singleFrames ? "capture-frame" : "capture", "capture-page"] : [kind.rawValue]
      }
      return Set(kinds)
    }

    /// For people.
    public var place: String {
      switch service {
      case .dimse(let dimse): "\(dimse.aeTitle) at \(dimse.host):\(dimse.port)"
      case .stow(let web): web.url
      }
    }

    /// Makes the paths of files absolute.
    mutating func resolve(_ absolute: (String) -> String) {
      tls?.resolve(absolute)
      guard case .stow(var web) = service else { return }
      web.passwordFile = web.passwordFile.map(absolute)
      web.tokenFile = web.tokenFile.map(absolute)
      service = .stow(web)
    }
  }
}

extension SiteConfiguration {
  /// What a new result of images that have one already does to that at a destination.
  public func onEarlierResult(at destination: Destination) -> Results.OnEarlierResult {
    destination.onEarlierResult ?? results.onEarlierResult
  }

  /// What is no fault and hardly meant, with the keys that it is about: kinds of objects that a destination
  /// waits for in vain, and results that reach nobody.
  public var warnings: [String] {
    var warnings = destinations.flatMap { destination in
      destination.takes.map { inVain(destination.name, taking: $0) } ?? []
    }
    if results.fractional, !destinations.isEmpty,
      !destinations.contains(where: { $0.takes?.contains(.fractional) == true })
    {
      warnings.append("results.fractional: is true, and takes of no destination names fractional")
    }
    return warnings
  }

  private func inVain(_ name: String, taking kinds: [Destination.ObjectKind]) -> [String] {
    let key = "destinations.\(name).takes"
    var warnings: [String] = []
    let due: Destination.ObjectKind? =
      switch results.nothingFound {
      case .report: .report
      case .segmentation: .segmentation
      case .none: nil
      }
    let hasPage = results.captures == .page || results.captures == .both
    if let due, !kinds.contains(due), !(hasPage && kinds.contains(.capture)) {
      warnings.append(
        "\(key): has no \(due.rawValue), so that the destination gets nothing of a series in which nothing is "
          + "found (results.nothingFound: \(results.nothingFound.rawValue))")
    }
    let unwritten: [(Destination.ObjectKind, String, Bool)] = [
      (.report, "results.report", results.report == .none && results.nothingFound != .report),
      (.capture, "results.captures", results.captures == .none),
      (.labelmap, "results.labelmap", !results.labelmap),
      (.rtstruct, "results.rtstruct", !results.rtstruct),
      (.fractional, "results.fractional", !results.fractional),
    ]
    for (kind, setting, isUnwritten) in unwritten where isUnwritten && kinds.contains(kind) {
      warnings.append("\(key): names \(kind.rawValue), which is not written (\(setting))")
    }
    return warnings
  }

  func checkDestinations(_ check: ValueCheck) throws(ConfigurationError) {
    var names = Set<String>()
    for destination in destinations {
      guard !destination.name.isEmpty, names.insert(destination.name).inserted else {
        throw check.fault("destinations: the name \"\(destination.name)\" is empty or used twice")
      }
      let name = "destinations.\(destination.name)"
      switch destination.service {
      case .dimse(let dimse):
        guard !dimse.host.isEmpty else { throw check.fault("\(name).host is empty") }
        try check.port(dimse.port, name)
        try check.aeTitle(dimse.aeTitle, name)
        try check.tls(destination.tls, "\(name).tls")
      case .stow(let web):
        try check.web(
          web.url, user: web.user, passwordFile: web.passwordFile, tokenFile: web.tokenFile,
          isPrivate: true, name)
        try check.tls(destination.tls, "\(name).tls", url: web.url)
      }
      try check.count(destination.timeoutSeconds, "\(name).timeoutSeconds")
      try checkVerification(destination, name, check)
      try checkChoice(destination, name, check)
    }
  }

  private func checkVerification(
    _ destination: Destination, _ name: String, _ check: ValueCheck
  ) throws(ConfigurationError) {
    guard destination.verify == .commitment else { return }
    guard destination.dimse != nil else {
      throw check.fault(
        "\(name).verify: DICOMweb has no storage commitment; verify: query asks by QIDO-RS")
    }
    guard !listeners.isEmpty else {
      throw check.fault(
        "\(name).verify: commitment needs a listener, to which the destination reports")
    }
  }

  private func checkChoice(
    _ destination: Destination, _ name: String, _ check: ValueCheck
  ) throws(ConfigurationError) {
    for (key, isEmpty) in [
      ("takes", destination.takes?.isEmpty), ("models", destination.models?.isEmpty),
      ("rules", destination.rules?.isEmpty),
    ] where isEmpty == true {
      throw check.fault("\(name).\(key): is empty, so that it would get nothing")
    }
    if destination.deidentify {
      guard !destination.singleFrames, destination.takes?.contains(.capture) != true else {
        throw check.fault(
          "\(name).deidentify: captures show the images' pixels, which are not de-identified; it can take "
            + "seg, sr, labelmap, rtstruct and fractional")
      }
    }
    if destination.singleFrames {
      guard destination.takes?.contains(.capture) ?? true else {
        throw check.fault("\(name).singleFrames: means nothing where takes has no capture")
      }
      guard results.captures == .frames || results.captures == .both else {
        throw check.fault("\(name).singleFrames: needs results.captures: frames or both")
      }
    }
    let known = Set(self.rules.map { $0.name ?? $0.model })
    for rule in destination.rules ?? [] where !known.contains(rule) {
      throw check.fault("\(name).rules: there is no rule \"\(rule)\"")
    }
  }
}
