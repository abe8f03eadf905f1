import ConfigurationFile
import Notifications
import WebClient

extension Diagnosis {
  /// Whether web and mail servers answer and admit us; nothing is sent.
  func notificationFindings() async -> [Finding] {
    var findings: [Finding] = []
    for recipient in configuration.notificationRecipients {
      let subject = "recipient \(recipient.name)"
      do {
        findings.append(.good(subject, try await recipient.channel.check()))
      } catch let error as ServiceError {
        findings.append(.fault(subject, error.description, error.advice))
      } catch {
        findings.append(.fault(subject, "\(error)", "check whether the server is running"))
      }
    }
    return findings
  }
}

extension ServiceError {
  /// What to do about it.
  var advice: String {
    switch self {
    case .unreachable: "correct host, port, security or tls, or check whether the server is running"
    case .refused(_, let code, _) where [401, 403, 530, 534, 535].contains(code):
      "correct user, passwordFile or tokenFile, or the access rights there"
    case .refused: "see what the server's log says of it"
    case .unusableFile: "mend the file"
    }
  }
}
