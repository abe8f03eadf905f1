import Foundation

/// An entry of syslog (RFC 5424) with an audit message, as PS3.15 A.6 has it.
struct SyslogEntry: Sendable, Equatable {
  let line: String

  /// - Parameters:
  ///   - message: what happened.
  ///   - application: who writes it.
  init(_ message: AuditMessage, of application: AuditedApplication) {
    // Facility 10 (security), severity 5 (notice) or 4 (warning).
    let priority = 10 * 8 + (message.outcome == .success ? 5 : 4)
    let source = "\(application.aeTitle)@\(application.host)"
    line =
      "<\(priority)>1 \(AuditMessage.time(message.at)) \(Self.field(application.host, 255)) segmentd "
      + "\(application.processID) DICOM+RFC3881 - \(message.xml(source: source))"
  }

  /// Printable ASCII without spaces, or a dash where there is nothing (RFC 5424 6.2.4).
  private static func field(_ text: String, _ length: Int) -> String {
    let kept = text.unicodeScalars.filter { (0x21...0x7E).contains($0.value) }.prefix(length)
    return kept.isEmpty ? "-" : String(String.UnicodeScalarView(kept))
  }

  /// With its length before it (RFC 6587 3.4.1, RFC 5425 4.3).
  var counted: [UInt8] {
    let bytes = Array(line.utf8)
    return Array("\(bytes.count) ".utf8) + bytes
  }
}
