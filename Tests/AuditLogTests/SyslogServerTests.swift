import Foundation
import Logging
import TestSupport
import Testing

@testable import AuditLog

/// Entries as rsyslog takes them by TLS and by TCP.
@Suite struct SyslogServerTests {
  private let application = AuditedApplication(aeTitle: "SEGMENTD", host: "pc1", processID: 42)

  private func configuration(_ folder: URL, tcp: Int, tls: Int) async throws -> String {
    """
    global(workDirectory="\(folder.path)" defaultNetstreamDriverCAFile="\(try await Certificates.file("ca.pem"))"
      defaultNetstreamDriverCertFile="\(try await Certificates.file("server.pem"))"
      defaultNetstreamDriverKeyFile="\(try await Certificates.file("server.key"))")
    module(load="imptcp")
    module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
    template(name="fields" type="string"
      string="%syslogfacility-text%|%syslogseverity-text%|%hostname%|%app-name%|%procid%|%msgid%|%msg%\\n")
    ruleset(name="audit") { action(type="omfile" file="\(folder.path)/taken" template="fields") }
    input(type="imptcp" address="127.0.0.1" port="\(tcp)" ruleset="audit")
    input(type="imtcp" address="127.0.0.1" port="\(tls)" ruleset="audit")
    """
  }

  private func log(_ server: SyslogServer, _ folder: URL) -> AuditLog {
    AuditLog(
      application: application, folder: folder.appendingPathComponent("audit").path, keepDays: 0,
      age: { Date().timeIntervalSince($0) }, server: server, logger: Logger(label: "test"))
  }

  private static let program = "/usr/sbin/rsyslogd"
  private static let isInstalled =
    FileManager.default.isExecutableFile(atPath: program)
    && ["x86_64-linux-gnu", "aarch64-linux-gnu"].contains {
      FileManager.default.fileExists(atPath: "/usr/lib/\($0)/rsyslog/lmnsd_ossl.so")
    }

  @Test(.enabled(if: isInstalled, "rsyslog and rsyslog-openssl are not installed"))
  func rsyslogTakesEntries() async throws {
    let folder = try TemporaryFolder()
    let (tcp, tls) = (try freePort(), try freePort())
    let file = folder.url.appendingPathComponent("rsyslog.conf")
    try await configuration(folder.url, tcp: tcp, tls: tls)
      .write(to: file, atomically: true, encoding: .utf8)
    let rsyslog = try ChildProcess(
      Self.program,
      ["-n", "-f", file.path, "-i", folder.url.appendingPathComponent("pid").path],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("rsyslog") {
      guard rsyslog.isRunning else { throw Ended(output: rsyslog.output) }
      return try await runProcess(
        "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(tls)"]
      ).status == 0
    }
    let trusted = try await Certificates.file("ca.pem")
    let secured = SyslogServer(
      host: "127.0.0.1", port: tls,
      transport: .tls(trusted: trusted, certificate: nil, key: nil, verifiesServer: true))
    let plain = SyslogServer(host: "127.0.0.1", port: tcp, transport: .tcp)
    for server in [secured, plain] {
      let log = log(server, folder.url)
      for starts in [true, false] {
        log.record(.activity(of: application, starts: starts, by: "line\nbreak"))
      }
      await log.close(within: .seconds(60))
    }
    // A server that somebody else signed gets nothing.
    let stranger = try await Certificates.file("other-ca.pem")
    let refused = log(
      SyslogServer(
        host: "127.0.0.1", port: tls,
        transport: .tls(trusted: stranger, certificate: nil, key: nil, verifiesServer: true)),
      folder.url)
    refused.record(.activity(of: application, starts: true, by: "nobody"))
    await refused.close(within: .seconds(1))

    let taken = folder.url.appendingPathComponent("taken")
    func lines() -> [Substring] {
      ((try? String(contentsOf: taken, encoding: .utf8)) ?? "").split(separator: "\n")
    }
    try await waitUntil("the entries") { lines().count >= 4 }
    #expect(lines().count == 4)
    for line in lines() {
      #expect(
        line.hasPrefix("authpriv|notice|pc1|segmentd|42|DICOM+RFC3881|")
          && line.contains("<AuditMessage>") && line.hasSuffix("</AuditMessage>"), "\(line)")
    }
    // It has nothing to finish, and is given no time in which it could hang.
    try await rsyslog.end(SIGKILL)
  }

  private struct Ended: Error { var output: String }
}
