import ConfigurationFile
import FileSystem
import Foundation
import JobLedger
import Notifications
import ServiceLifecycle
import WebClient

extension SiteConfiguration {
  /// Who is told of what needs a person.
  public var notificationRecipients: [NotificationRecipient] {
    notifications.recipients.map { recipient in
      NotificationRecipient(
        name: recipient.name, channel: recipient.channel,
        kinds: Set(recipient.events.flatMap(\.kinds)))
    }
  }

  /// Of each recipient, a message that says that it is a test.
  public var notificationTest: NotificationMessage {
    NotificationMessage(testOf: installation, host: ProcessInfo.processInfo.hostName)
  }
}

extension ConfiguredParts {
  /// Nothing where nobody is told anything.
  var notificationServices: [any Service] {
    let settings = configuration.notifications
    guard !settings.recipients.isEmpty else { return [] }
    let free = settings.diskFreeGB.map { byteCount(gigabytes: $0) } ?? 5 * diskReserve
    return [
      AlarmWatch(
        ledger: ledger, folder: state.url.path,
        destinationPatience: settings.destinationMinutes * 60, diskFreeBytes: free, logger: logger),
      NotificationService(
        ledger: ledger, recipients: configuration.notificationRecipients,
        limits: .init(
          groupSeconds: settings.groupMinutes * 60, messagesPerHour: settings.perHour),
        installation: aeTitle, host: ProcessInfo.processInfo.hostName, logger: logger),
    ]
  }
}

extension SiteConfiguration.Notifications.Event {
  fileprivate var kinds: [Notice.Kind] {
    switch self {
    case .held: [.held, .deliveryHeld]
    case .destinations: [.destinationFailing, .destinationRecovered]
    case .disk: [.diskShort, .diskRecovered]
    case .checks: [.checkFailed, .checkRecovered]
    }
  }
}

extension SiteConfiguration.Notifications.Recipient {
  fileprivate var channel: any NotificationChannel {
    let tls = tls.map(ServiceTLS.init)
    switch service {
    case .webhook(let web):
      return WebhookChannel(
        url: web.url, tokenFile: web.tokenFile, tls: tls, timeoutSeconds: timeoutSeconds)
    case .email(let email):
      return MailChannel(
        host: email.host, port: email.port, security: .init(email.security), user: email.user,
        passwordFile: email.passwordFile, from: email.from, to: email.to, tls: tls,
        name: ProcessInfo.processInfo.hostName, timeoutSeconds: timeoutSeconds)
    }
  }
}

extension MailChannel.Security {
  fileprivate init(_ security: SiteConfiguration.Notifications.Recipient.Email.Security) {
    switch security {
    case .starttls: self = .starttls
    case .tls: self = .tls
    case .none: self = .none
    }
  }
}
