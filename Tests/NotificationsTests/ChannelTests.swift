import Foundation
import JobLedger
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// Mail and webhooks, to servers of others.
@Suite struct ChannelTests {
  private let folder: TemporaryFolder
  private let message = NotificationMessage(
    [
      Notice(
        event: 7, kind: .held, at: Date(timeIntervalSince1970: 1_000_000), study: "1.2.3",
        series: "1.2.3.4", job: 5, model: "liver",
        reason: "slices are missing — " + String(repeating: "ä", count: 1200))
    ], installation: "SEG", host: "pc")

  init() throws { folder = try TemporaryFolder() }

  private func secret(_ text: String) throws -> String {
    let path = folder.url.appendingPathComponent(UUID().uuidString).path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private func mail(_ port: Int, password: String, _ security: MailChannel.Security = .starttls)
    async throws -> MailChannel
  {
    MailChannel(
      host: "127.0.0.1", port: port, security: security, user: "segmentd",
      passwordFile: try secret(password), from: "segmentd@site.example",
      to: ["it@site.example", "mta@site.example"],
      tls: ServiceTLS(trusted: try await Certificates.file("ca.pem")), name: "pc",
      timeoutSeconds: 20)
  }

  private func failure(_ channel: any NotificationChannel, checks: Bool = false) async
    -> ServiceError?
  {
    do {
      if checks { _ = try await channel.check() } else { try await channel.send(message) }
      return nil
    } catch {
      return error as? ServiceError
    }
  }

  private func hook(_ servers: NotificationServers, _ path: String, token: String = "token")
    throws -> WebhookChannel
  {
    WebhookChannel(
      url: "http://127.0.0.1:\(servers.webPort)/\(path)", tokenFile: try secret(token),
      timeoutSeconds: 20)
  }

  @Test func mailAndWebhook() async throws {
    let servers = try await NotificationServers()
    var mail = try await mail(servers.port, password: "secret")
    #expect(try await mail.check().contains("admits segmentd"))
    try await mail.send(message)
    let hook = try hook(servers, "hook")
    #expect(hook.place.hasPrefix("http://127.0.0.1:") && !hook.place.contains("hook"))
    #expect(try await hook.check().contains("answers"))
    try await hook.send(message)
    let taken = servers.events
    #expect(taken.count == 2)
    #expect(taken.first?.sender == "segmentd@site.example")
    #expect(taken.first?.recipients == mail.to)
    #expect(taken.first?.subject == "segmentd SEG: 1 study held")
    #expect(taken.first?.text?.contains(message.text.prefix(2000)) == true)
    #expect(taken.last?.message?.summary == "1 study held")

    // What an administrator gets wrong.
    let wrong = try await self.mail(servers.port, password: "wrong")
    for checks in [true, false] {
      guard case .refused(_, 535, _) = await failure(wrong, checks: checks) else {
        Issue.record("\(String(describing: await failure(wrong, checks: checks)))")
        continue
      }
    }
    mail.tls?.trusted = try await Certificates.file("other-ca.pem")
    guard case .unreachable = await failure(mail) else { throw Unexpected() }
    mail.security = .none
    guard case .refused(_, 530, _) = await failure(mail) else { throw Unexpected() }
    mail.passwordFile = "/nowhere"
    guard case .unusableFile = await failure(mail) else { throw Unexpected() }
    for (path, token, status) in [("hook", "other", 401), ("busy", "token", 503)] {
      for checks in [true, false] {
        let channel = try self.hook(servers, path, token: token)
        #expect(
          await failure(channel, checks: checks)
            == .refused(place: channel.place, code: status, reason: ""))
      }
    }
    #expect(servers.events.count == 2)
    try await servers.stop()
    let away = await failure(try await self.mail(servers.port, password: "secret"))
    #expect(away?.description.contains("is not reached") == true, "\(String(describing: away))")
    #expect(
      await failure(hook)
        == .unreachable(place: hook.place, reason: String(cString: strerror(ECONNREFUSED))))
  }

  private struct Unexpected: Error {}
}
