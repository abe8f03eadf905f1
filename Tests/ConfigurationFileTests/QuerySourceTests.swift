import Foundation
import TestSupport
import Testing

@testable import ConfigurationFile

/// The sections on archives and on storage commitment.
@Suite struct QuerySourceTests {
  private func load(_ text: String) throws -> SiteConfiguration {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    return try SiteConfiguration.load(file)
  }

  @Test func isReadWithItsDefaults() throws {
    let source = try #require(
      try load("querySource: {aeTitle: PACS, host: pacs, port: 104}").querySource)
    let dimse = try #require(source.dimse)
    #expect(dimse.retrieve == .get && dimse.callingAETitle == nil)
    #expect(source.patienceSeconds == 900 && source.whenUnreachable == .hold)
    #expect(try load("log: {level: info}").querySource == nil)
  }

  @Test func isReadAsAWhole() throws {
    let configuration = try load(
      """
      listener: {aeTitle: SEG}
      querySource: {aeTitle: PACS, host: pacs, port: 104, retrieve: move, callingAETitle: ASK,
        patienceSeconds: 60, whenUnreachable: process}
      storageCommitment: {peers: [{aeTitle: CT1, host: ct1, port: 104}]}
      """)
    let source = try #require(configuration.querySource)
    let dimse = try #require(source.dimse)
    #expect(dimse.retrieve == .move && dimse.callingAETitle == "ASK")
    #expect(source.patienceSeconds == 60 && source.whenUnreachable == .process)
    #expect(configuration.storageCommitment.peers.map(\.aeTitle) == ["CT1"])
  }

  /// Files are taken from the folder of the configuration.
  @Test func aServerOfDICOMweb() throws {
    let source = try #require(
      try load("querySource: {url: https://pacs/dicom-web, tokenFile: segmentd.yaml}").querySource)
    guard case .dicomweb(let web) = source.service else {
      Issue.record("\(source.service)")
      return
    }
    #expect(web.url == "https://pacs/dicom-web" && web.tokenFile?.hasPrefix("/") == true)
  }

  @Test(arguments: [
    ("querySource: {host: pacs, port: 104}", "aeTitle"),
    ("querySource: {aeTitle: PACS, host: pacs, port: 0}", "querySource.port: port 0"),
    ("querySource: {aeTitle: PACS, host: \"\", port: 104}", "querySource.host is empty"),
    ("querySource: {aeTitle: PACS, host: pacs, port: 104, retreive: get}", "retreive"),
    ("querySource: {aeTitle: PACS, host: pacs, port: 104, retrieve: move}", "needs a listener"),
    ("querySource: {aeTitle: A, host: p, port: 1, patienceSeconds: -1}", "patienceSeconds"),
    ("querySource: {aeTitle: \"A\\\\B\", host: p, port: 1}", "is not an AE title"),
    ("storageCommitment: {peers: [{aeTitle: A, host: p, port: 70000}]}", "port 70000"),
    ("querySource: {url: ftp://pacs/dicom-web}", "is no http or https URL"),
    ("querySource: {url: https://u:p@pacs/dicom-web}", "have no place in it"),
    ("querySource: {url: https://pacs/dicom-web, aeTitle: PACS}", "means nothing with url"),
    ("querySource: {aeTitle: A, host: p, port: 1, user: u}", "means nothing without url"),
    ("querySource: {url: https://pacs/dicom-web, user: u}", "belong together"),
    ("querySource: {url: http://pacs/w, tokenFile: segmentd.yaml}", "in the clear"),
    ("querySource: {url: https://pacs/w, tokenFile: none}", "cannot be read"),
    (
      "storageCommitment: {peers: [{aeTitle: A, host: p, port: 1}, {aeTitle: A, host: q, port: 1}]}",
      "used twice"
    ),
  ]) func faultsAreNamed(text: String, message: String) throws {
    let error = #expect(throws: ConfigurationError.self) { _ = try load(text) }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }
}
