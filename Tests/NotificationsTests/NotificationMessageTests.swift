import Foundation
import JobLedger
import Testing

@testable import Notifications

/// What recipients are told, and when.
@Suite struct NotificationMessageTests {
  private let now = Date(timeIntervalSince1970: 1_000_000)

  private func held(_ event: Int64, study: String) -> Notice {
    Notice(
      event: event, kind: .held, at: now, study: study, series: study + ".1", job: event,
      model: "liver", reason: "slices are missing")
  }

  @Test func manyHeldStudiesAreOneMessage() throws {
    let notices = (1...60).map { held(Int64($0), study: "1.2.\($0 % 30)") }
    let message = NotificationMessage(notices, installation: "SEG", host: "pc", now: now)
    #expect(message.summary == "30 studies held")
    #expect(message.events.count == 50 && message.omitted == 10)
    #expect(message.id == "SEG-60")
    #expect(message.text.contains("study 1.2.7\n") && message.text.contains("and 10 more"))
    let json = try #require(try JSONSerialization.jsonObject(with: message.json) as? [String: Any])
    #expect((json["events"] as? [Any])?.count == 50)
  }

  @Test func theLastStateOfADestinationCounts() {
    func notice(_ event: Int64, _ kind: Notice.Kind, _ reason: String) -> Notice {
      Notice(event: event, kind: kind, at: now, reason: reason)
    }
    let message = NotificationMessage(
      [
        notice(1, .destinationFailing, "pacs, since 2026: 1 result waits"),
        notice(2, .destinationFailing, "vna, since 2026: 1 result waits"),
        notice(3, .destinationRecovered, "pacs, after 20 minutes"),
        notice(4, .diskShort, "the disk, since 2026: 1.0 GB are free"),
      ], installation: "SEG", host: "pc", now: now)
    #expect(
      message.summary
        == "deliveries to pacs arrive again; deliveries to vna fail; little disk space left")
  }

  /// A name of a destination is an administrator's, and still ends no line of a header.
  @Test func aSubjectIsOneLineOfASCII() {
    let notice = Notice(
      event: 1, kind: .destinationFailing, at: now,
      reason: "Röntgen\r\nBcc: x@y.example, since 2026: 1 result waits")
    let subject = NotificationMessage([notice], installation: "SEG", host: "pc", now: now).subject
    #expect(subject.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) })
    #expect(subject == "segmentd SEG: deliveries to R?ntgen??Bcc: x@y.example fail")
  }

  @Test func pausesGrowToHalfAnHour() {
    #expect(NotificationService.backoff(1) == .seconds(10))
    #expect(NotificationService.backoff(4) == .seconds(80))
    #expect(NotificationService.backoff(100) == .seconds(1800))
  }
}
