import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

@Suite struct SiteConfigurationTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("segmentd.yaml").path }

  init() throws {
    folder = try TemporaryFolder()
    for name in ["models", "in"] {
      try FileManager.default.createDirectory(
        at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
    }
  }

  private func load(_ text: String) throws(ConfigurationError) -> SiteConfiguration {
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try SiteConfiguration.load(file)
  }

  private func fault(_ text: String) -> String? {
    do {
      _ = try load(text)
      return nil
    } catch { return error.description.replacingOccurrences(of: file, with: "FILE") }
  }

  @Test func theConfigurationThatComesWithTheProgramIsValid() throws {
    let text = try String(
      contentsOf: TestFiles.package.appendingPathComponent("Config/segmentd.yaml"), encoding: .utf8)
    let configuration = try load(text)
    #expect(configuration.listeners.map(\.port) == [11112])
    #expect(configuration.modelRules.map(\.model) == ["cardiac", "hippocampus"])
    #expect(configuration.nightlyCheck?.hour == 2)
  }

  /// One line leaves a model out: its rules stay in the file and are not applied.
  @Test func rulesOfExcludedModelsAreNotApplied() throws {
    let rules = "rules: [{model: a}, {model: b, name: other}, {model: a, name: third}]"
    #expect(try load(rules).modelRules.map(\.model) == ["a", "b", "a"])
    let configuration = try load("models: {exclude: [a]}\n\(rules)")
    #expect(configuration.modelRules.map(\.name) == ["other"])
    #expect(configuration.models.exclude == ["a"])
    #expect(fault("models: {excludes: [a]}")?.contains("unknown key \"excludes\"") == true)
  }

  /// Relative paths are taken from the folder of the file, not of the process.
  @Test func relativePathsAreTakenFromTheFolderOfTheFile() throws {
    let configuration = try load(
      """
      stateDirectory: ../state
      models: {directories: [models]}
      watch: [{folder: ./in}]
      """)
    let base = folder.url.standardizedFileURL
    #expect(configuration.stateDirectory == base.deletingLastPathComponent().path + "/state")
    #expect(configuration.models.directories == [base.path + "/models"])
    #expect(configuration.watch.map(\.folder) == [base.path + "/in"])
  }

  @Test(arguments: [
    ("stateDirectory: x\nlistner: {}\n", 2, "listner"),
    ("listener:\n  aeTitle: A\n  ports: 1\n", 3, "ports"),
    ("listener:\n  - port: 1\n  - ports: 2\n", 3, "ports"),
    ("listener:\n  limits:\n    seconds: 2\n", 3, "seconds"),
    ("watch:\n  - folder: in\n    settle: 1\n", 3, "settle"),
    ("geometry:\n  maximumTilt: 1\n  spacing: 1\n", 3, "spacing"),
    ("rules:\n  - model: m\n    requires: {}\n", 3, "requires"),
    ("rules:\n  - model: m\n    require:\n      modalitie: CT\n", 4, "modalitie"),
    ("destinations:\n  - name: a\n    aet: B\n", 3, "aet"),
    ("inference:\n  thread: 1\n", 2, "thread"),
    ("log:\n  colour: red\n", 2, "colour"),
    ("assembly:\n  quiet: 3\n", 2, "quiet"),
    ("assembly:\n  quietSeconds: 3\n  minimumSlice: 3\n", 3, "minimumSlice"),
    ("models:\n  folders: []\n", 2, "folders"),
    ("results:\n  keepEmpty: true\n", 2, "keepEmpty"),
  ])
  func anUnknownKeyIsNamedWithItsLine(text: String, line: Int, key: String) {
    #expect(fault(text)?.hasPrefix("FILE:\(line): unknown key \"\(key)\" (known here: ") == true)
  }

  @Test(arguments: [
    ("listener: {port: 0}", "listener.port: port 0 is not between 1 and 65535"),
    ("listener: {port: x}", "port"),
    ("listener: {aeTitle: \"AB \"}", "is not an AE title"),
    ("listener: {aeTitle: ABCDEFGHIJKLMNOPQ}", "is not an AE title"),
    ("listener: {callingAETitles: [\"\"]}", "is not an AE title"),
    ("listener: {maximumAssociations: 0}", "listener.maximumAssociations: 0 is not positive"),
    ("listener: {address: localhost}", "listener.address: \"localhost\" is not an IPv4"),
    ("listener: {peers: [{}]}", "listener.peers: an entry has neither"),
    ("listener: {peers: [{aeTitle: \"\"}]}", "listener.peers.aeTitle: \"\" is not an AE title"),
    ("listener: {peers: [{addresses: [10.1.2.3/16]}]}", "\"10.1.2.3/16\" is neither an address"),
    ("listener: {sopClasses: {stored: [SEG]}}", "listener.sopClasses.stored: \"SEG\" is not a UID"),
    ("listener: {limits: {pduSeconds: 0}}", "listener.limits.pduSeconds: 0 is not positive"),
    ("listener: {limits: {objectGB: 0}}", "listener.limits.objectGB"),
    ("listener: {limits: {diskReserveGB: -1}}", "listener.limits.diskReserveGB"),
    ("listener: {tls: {certificate: c}}", "key"),
    ("listener: {tls: {certificate: c, key: k, clientCertificates: maybe}}", "clientCertificates"),
    (
      "listener: {tls: {certificate: c, key: k, clientCertificates: require}}",
      "listener.tls.trusted: missing"
    ),
    ("listener: [{port: 1}, {port: 0}]", "listener[1].port: port 0"),
    ("listener: [{port: 104}, {port: 104}]", "listener[1]: 127.0.0.1:104 is used twice"),
    ("assembly: {quietSeconds: 0}", "assembly.quietSeconds"),
    ("assembly: {quietSeconds: .nan}", "assembly.quietSeconds"),
    ("assembly: {incompleteSeconds: 0}", "assembly.incompleteSeconds"),
    ("geometry: {maximumTilt: -1}", "geometry.maximumTilt: -1.0 is not zero or more"),
    ("geometry: {minimumSlices: 2}", "geometry.minimumSlices: 2 is less than 3"),
    ("geometry: {spacingTolerance: .inf}", "geometry.spacingTolerance"),
    ("watch: [{folder: in, settleSeconds: -1}]", "watch.settleSeconds"),
    ("watch: [{folder: none}]", "none is not a folder"),
    ("models: {directories: [segmentd.yaml]}", "FILE is not a folder"),
    ("inference: {threads: 1025}", "inference.threads"),
    ("inference: {instructionSet: sse2}", "inference.instructionSet"),
    ("inference: {memoryLimitGB: -1}", "inference.memoryLimitGB"),
    ("inference: {checkpointSeconds: -1}", "inference.checkpointSeconds: -1.0 is not between"),
    ("log: {level: loud}", "log.level"),
    ("results: {maximumFrames: -1}", "results.maximumFrames: -1 is not between 0 and 50000"),
    ("results: {nothingFound: sr}", "results.nothingFound"),
    ("results: {report: all}", "results.report"),
    ("results: {suspect: send}", "results.suspect"),
    ("results: {onEarlierResult: remove}", "results.onEarlierResult"),
    ("destinations: [{name: a, aeTitle: A, host: h, port: 99999}]", "destinations.a: port 99999"),
    ("destinations: [{name: a, aeTitle: A, host: \"\", port: 1}]", "destinations.a.host is empty"),
    (
      """
      destinations:
        - {name: a, aeTitle: A, host: h, port: 1}
        - {name: a, aeTitle: B, host: h, port: 2}
      """, "\"a\" is empty or used twice"
    ),
    ("rules: [{require: {modality: CT}}]", "model is missing"),
    (
      "rules: [{model: m, modalities: [CT], require: {modality: MR}}]", "modality"
    ),
    ("rules: [{model: m, tieOrder: [mostSlices]}]", "means nothing without select: best"),
    ("rules: [{model: m, priority: 1001}]", "1001 is not between -1000 and 1000"),
    ("rules: [{model: m, volume: {}}]", "neither require nor prefer nor tieOrder is given"),
    ("rules: [{model: m, volume: {select: best}}]", "select"),
    ("rules: [{model: m, require: {seriesDescription: \"(\"}}]", "is not a regular expression"),
  ])
  func aWrongValueIsRefusedByName(text: String, message: String) {
    let found = fault(text)
    #expect(found?.contains(message) == true, "\(found ?? "no fault")")
  }

  /// One listener or a list of them; certificates are found from the folder of the file.
  @Test func severalListenersAreAList() throws {
    let configuration = try load(
      """
      listener:
        - {port: 104, peers: [{aeTitle: CT1, addresses: [10.1.0.0/16, "fd00::/8"]}]}
        - port: 2762
          address: "::"
          tls: {certificate: tls/a.pem, key: /etc/a.key, clientCertificates: require, trusted: ca.pem}
      """)
    #expect(configuration.listeners.map(\.port) == [104, 2762])
    // Loopback, unless an address is configured.
    #expect(configuration.listeners.map(\.address) == ["127.0.0.1", "::"])
    #expect(configuration.listeners[0].peers.map(\.aeTitle) == ["CT1"])
    let tls = try #require(configuration.listeners[1].tls?.security)
    let base = folder.url.standardizedFileURL.path
    #expect(tls.certificate == base + "/tls/a.pem" && tls.key == "/etc/a.key")
    #expect(tls.trusted == base + "/ca.pem" && tls.clientCertificates == .require)
    #expect(configuration.listeners[0].certificateFault() == nil)
    #expect(configuration.listeners[1].certificateFault()?.contains("tls/a.pem") == true)
    #expect(configuration.storedSOPClasses.contains("1.2.840.10008.5.1.4.1.1.66.4"))
  }

  /// What is not in the file has the defaults that the documentation names.
  @Test func resultsAreWrittenAsTheFileSays() throws {
    #expect(try load("{}").results == SiteConfiguration.Results())
    let results = try load(
      """
      results:
        {keepEmptyFrames: true, maximumFrames: 2000, report: measurements, nothingFound: segmentation,
         captures: page, suspect: hold, labelmap: true, fractional: true,
         rtstruct: true, onEarlierResult: add}
      """
    ).results
    #expect(results.keepEmptyFrames && results.maximumFrames == 2000)
    #expect(results.report == .measurements && results.nothingFound == .segmentation)
    #expect(results.suspect == .hold && results.captures == .page)
    #expect(results.labelmap && results.fractional && results.rtstruct)
    #expect(results.onEarlierResult == .add)
    #expect(try load("{}").results.onEarlierResult == .replace)
    #expect(try load("{}").results.suspect == .deliver)
    #expect(try load("{}").results.report == .none)
    #expect(try load("{}").results.captures == .none)
    #expect(try load("{}").results.nothingFound == .report)
  }

  @Test func anEmptyMappingHasTheDefaults() throws {
    let configuration = try load("{}")
    #expect(configuration.stateDirectory == "/var/lib/segmentd")
    #expect(configuration.listeners.isEmpty && configuration.destinations.isEmpty)
    #expect(configuration.assembly.quietSeconds == 30)
    #expect(configuration.assembly.incompleteSeconds == 300)
    #expect(configuration.geometryRules.minimumSlices == 3)
  }

  /// What is incomplete waits longer than anything else, or as long.
  @Test func incompleteSeriesWaitNoShorter() throws {
    #expect(try load("assembly: {quietSeconds: 4}").assembly.incompleteSeconds == 40)
    let both = try load("assembly: {quietSeconds: 4, incompleteSeconds: 9}").assembly
    #expect(both.incompleteSeconds == 9)
    let less = try load("assembly: {quietSeconds: 4, incompleteSeconds: 1}").assembly
    #expect(less.incompleteSeconds == 4)
  }

  @Test func theRulesOfTheGateAreThoseOfTheFile() throws {
    let rules = try load(
      """
      geometry:
        minimumSlices: 12
        spacingTolerance: 0.02
        resampleTilt: false
        fillGapsUpTo: 7.5
        acceptDerivedImages: true
      """
    ).geometryRules
    #expect(rules.minimumSlices == 12)
    #expect(rules.spacingTolerance == 0.02)
    #expect(rules.fillsGapsUpTo == 7.5)
    #expect(!rules.resamplesTilt && rules.acceptsDerivedImages)
  }

  /// Preferences mean that the best series is wanted, unless the rule says otherwise.
  @Test func theFormerPlaceOfMinimumSlicesIsStillRead() throws {
    #expect(try load("assembly: {minimumSlices: 7}").geometryRules.minimumSlices == 7)
    let both = "assembly: {minimumSlices: 7}\ngeometry: {minimumSlices: %}"
    #expect(
      try load(both.replacingOccurrences(of: "%", with: "7")).geometryRules.minimumSlices == 7)
    let found = try #require(fault(both.replacingOccurrences(of: "%", with: "3")))
    #expect(found.contains("minimumSlices: 7 is not geometry.minimumSlices: 3"))
    #expect(fault("assembly: {minimumSlices: 2}") != nil)
  }

  @Test func aRuleWithPreferencesSelectsTheBest() throws {
    let rules = try load(
      """
      rules:
        - {model: a, prefer: [{seriesDescription: t1}]}
        - {model: b, modalities: [CT], seriesDescription: ven, priority: 10}
        - {model: c, prefer: [{seriesDescription: t1}], select: all}
      """
    ).modelRules
    #expect(rules.map(\.selection) == [.best, .all, .all])
    #expect(rules.map(\.priority) == [0, 10, 0])
    #expect(rules[1].criteria.required.map(\.attribute) == [.modality, .seriesDescription])
  }

  @Test func aRuleChoosesAmongVolumes() throws {
    let rules = try load(
      """
      rules:
        - model: a
          volume: {require: {echoTime: {min: 40}}, prefer: [{scanOptions: FS}], tieOrder: [mostSlices]}
        - {model: b}
      """
    ).modelRules
    #expect(rules.map(\.selection) == [.all, .all] && rules[1].volume == nil)
    #expect(rules[0].volume?.criteria.required.map(\.attribute) == [.echoTime])
    #expect(rules[0].volume?.tieOrder == [.mostSlices])
  }
}
