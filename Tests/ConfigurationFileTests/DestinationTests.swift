import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

@Suite struct DestinationTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("segmentd.yaml").path }

  init() throws {
    folder = try TemporaryFolder()
    for (name, mode) in [("token", 0o600), ("open-token", 0o644)] {
      let path = folder.url.appendingPathComponent(name).path
      #expect(
        FileManager.default.createFile(
          atPath: path, contents: Data("secret\n".utf8), attributes: [.posixPermissions: mode]))
    }
  }

  private func load(_ destination: String, _ more: String = "listener: {}")
    throws(ConfigurationError) -> SiteConfiguration
  {
    let text = "\(more)\ndestinations: [{name: a, \(destination)}]\n"
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try SiteConfiguration.load(file)
  }

  private let dimse = "aeTitle: A, host: h, port: 104"
  private let stow = "kind: stow, url: \"https://h/dicom-web\""

  @Test func aDICOMApplication() throws {
    let plain = try #require(try load(dimse).destinations.first)
    #expect(plain.dimse?.aeTitle == "A" && plain.tls == nil && plain.verify == .none)
    #expect(plain.timeoutSeconds == 30 && plain.takes == nil && plain.models == nil)
    let rule = "listener: {}\nrules: [{name: x, model: m}]"
    let full = try #require(
      try load(
        dimse
          + ", verify: commitment, timeoutSeconds: 5, takes: [seg, sr, capture], models: [m], rules: [x], "
          + "require: {modality: CT}, tls: {trusted: ca.pem, certificate: c.pem, key: c.key, "
          + "peerName: pacs, verifyPeer: false}", rule
      ).destinations.first)
    #expect(full.verify == .commitment && full.timeoutSeconds == 5)
    #expect(
      full.takes == [.segmentation, .report, .capture] && full.models == ["m"]
        && full.rules == ["x"])
    #expect(full.criteria.required.count == 1)
    #expect(
      plain.objectKinds == nil && full.objectKinds == ["seg", "sr", "capture", "capture-page"])
    let single = try #require(
      try load(dimse + ", singleFrames: true", "results: {captures: both}").destinations.first)
    #expect(
      single.objectKinds
        == ["seg", "sr", "capture-frame", "capture-page", "labelmap", "rtstruct"])
    let asking = try #require(try load(dimse + ", takes: [seg, fractional]").destinations.first)
    #expect(asking.objectKinds == ["seg", "fractional"])
    let deidentified = try #require(try load(dimse + ", deidentify: true").destinations.first)
    #expect(deidentified.objectKinds == ["seg", "sr", "labelmap", "rtstruct"])
    let base = folder.url.standardizedFileURL.path
    let security = try #require(full.tls?.security)
    #expect(security.trusted == base + "/ca.pem" && security.certificate == base + "/c.pem")
    #expect(security.key == base + "/c.key" && security.peerName == "pacs")
    #expect(!security.verifiesPeer)
    #expect(full.tls?.fault()?.contains("c.pem") == true)
  }

  /// As the site says, or as the destination itself does.
  @Test(arguments: [
    ("", "listener: {}", "replace"), ("", "results: {onEarlierResult: add}", "add"),
    (", onEarlierResult: replace", "results: {onEarlierResult: add}", "replace"),
    (", onEarlierResult: add", "listener: {}", "add"),
  ])
  func earlierResults(own: String, site: String, due: String) throws {
    let configuration = try load(dimse + own, site)
    let destination = try #require(configuration.destinations.first)
    #expect(configuration.onEarlierResult(at: destination).rawValue == due)
  }

  /// Settings that are no fault, and of which something reaches nobody.
  @Test(arguments: [
    ("takes: [seg]", "", "takes: has no sr|results.nothingFound: report"),
    ("takes: [sr]", "results: {nothingFound: segmentation}", "takes: has no seg|sr, which is not"),
    ("takes: [seg, capture]", "results: {captures: page}", ""),
    ("takes: [seg, capture]", "results: {captures: frames}", "takes: has no sr"),
    ("takes: [seg]", "results: {nothingFound: none}", ""), ("timeoutSeconds: 5", "", ""),
    (
      "takes: [seg, sr, labelmap, rtstruct, fractional]", "",
      "labelmap, which is not written (results.labelmap)|(results.rtstruct)|(results.fractional)"
    ),
    ("takes: [seg, sr]", "results: {fractional: true}", "results.fractional: is true"),
    ("takes: [seg, sr, fractional]", "results: {fractional: true}", ""),
  ])
  func whatReachesNobodyIsAWarning(destination: String, results: String, due: String) throws {
    let warnings = try load("\(dimse), \(destination)", "listener: {}\n\(results)").warnings
    let parts = due.split(separator: "|")
    #expect(warnings.isEmpty == parts.isEmpty, "\(warnings)")
    for part in parts { #expect(warnings.contains { $0.contains(part) }, "\(warnings)") }
    if !parts.isEmpty, !due.hasPrefix("results.") {
      #expect(warnings.allSatisfy { $0.hasPrefix("destinations.a.takes: ") }, "\(warnings)")
    }
  }

  @Test func aServerOfSTOW() throws {
    let web = try #require(
      try load(stow + ", tokenFile: token, verify: query, tls: {}").destinations.first)
    guard case .stow(let service) = web.service else {
      Issue.record("\(web.service)")
      return
    }
    #expect(service.tokenFile == folder.url.standardizedFileURL.path + "/token")
    #expect(web.place == "https://h/dicom-web" && web.verify == .query)
  }

  @Test(arguments: [
    ("aeTitle: A, host: h, port: 104, url: x", "means nothing with kind: dimse"),
    ("kind: stow, url: \"https://h\", host: h", "means nothing with kind: stow"),
    ("kind: ftp, url: \"https://h\"", "ftp"),
    ("kind: stow, url: \"ftp://h\"", "destinations.a.url: \"ftp://h\" is no http or https URL"),
    ("kind: stow, url: \"https://h\", user: u", "user and passwordFile belong together"),
    ("kind: stow, url: \"http://h\", tokenFile: token", "without https a password"),
    ("kind: stow, url: \"https://h\", tokenFile: none", "none cannot be read"),
    ("kind: stow, url: \"https://h\", tokenFile: open-token", "chmod 600"),
    ("kind: stow, url: \"https://h\", verify: commitment", "DICOMweb has no storage commitment"),
    ("kind: stow, url: \"https://h\", tls: {peerName: x}", "peerName: means nothing with url"),
    ("aeTitle: A, host: h, port: 104, tls: {}", "destinations.a.tls.trusted: missing"),
    (
      "aeTitle: A, host: h, port: 104, tls: {trusted: ca, key: k}",
      "certificate and key belong together"
    ),
    ("aeTitle: A, host: h, port: 104, verify: hope", "hope"),
    ("aeTitle: A, host: h, port: 104, timeoutSeconds: 0", "timeoutSeconds: 0 is not positive"),
    (
      "aeTitle: A, host: h, port: 104, deidentify: true, takes: [seg, capture]",
      "destinations.a.deidentify: captures show the images' pixels"
    ),
    ("aeTitle: A, host: h, port: 104, takes: []", "destinations.a.takes: is empty"),
    ("aeTitle: A, host: h, port: 104, onEarlierResult: remove", "remove"),
    ("aeTitle: A, host: h, port: 104, takes: [mesh]", "mesh"),
    (
      "aeTitle: A, host: h, port: 104, singleFrames: true",
      "destinations.a.singleFrames: needs results.captures: frames or both"
    ),
    (
      "aeTitle: A, host: h, port: 104, singleFrames: true, takes: [seg]",
      "destinations.a.singleFrames: means nothing where takes has no capture"
    ),
    ("aeTitle: A, host: h, port: 104, takes: [dicom]", "dicom"),
    ("aeTitle: A, host: h, port: 104, rules: [x]", "there is no rule \"x\""),
    ("aeTitle: A, host: h, port: 104, prefer: []", "unknown key \"prefer\""),
  ])
  func faultsAreNamed(destination: String, words: String) {
    let error = #expect(throws: ConfigurationError.self) { try load(destination) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test func commitmentNeedsAListener() {
    let error = #expect(throws: ConfigurationError.self) {
      try load(dimse + ", verify: commitment", "")
    }
    #expect(error?.description.contains("needs a listener") == true)
  }

  @Test func aQuerySourceSpeaksTLS() throws {
    let source = "listener: {}\nquerySource: {aeTitle: Q, host: h, port: 1, tls: {trusted: ca.pem}}"
    let configuration = try load(dimse, source)
    #expect(
      configuration.querySource?.tls?.trusted == folder.url.standardizedFileURL.path + "/ca.pem")
    #expect(throws: ConfigurationError.self) {
      try load(dimse, "querySource: {aeTitle: Q, host: h, port: 1, tls: {}}")
    }
  }
}
