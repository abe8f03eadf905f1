import DICOM
import Foundation
import SeriesReading
import TestSupport
import Testing

@testable import SeriesProcessing

/// What the verdict on the images says is said with their result.
@Suite struct VerdictNotesTests {
  @Test func aMissingFrameOfReferenceIsSaidWithTheResult() throws {
    let placeless = try CineSeries(triggerTimes: [0]) { image, _, _ in
      image[.frameOfReferenceUID] = nil
    }
    let summary = try placeless.source.summary
    let found = SeriesOutcome.nothingFound(
      picture: placeless.folder.url, warnings: [], objects: [], report: nil)
    let notes = ProcessedSeries(outcome: found, assessments: [summary, summary]).verdictNotes
    #expect(notes.first?.hasPrefix("Frame of Reference UID (0020,0052) is absent") == true)
    #expect(notes.contains { $0.hasPrefix("series 1.2.3: Frame of Reference UID") }, "\(notes)")
    let held = ProcessedSeries(outcome: .held(reasons: ["a reason"]), assessments: [summary])
    #expect(held.verdictNotes == [])
    let placed = try CineSeries(triggerTimes: [0]).source.summary
    #expect(
      !ProcessedSeries(outcome: found, assessments: [placed]).verdictNotes.contains {
        $0.contains("(0020,0052)")
      })
  }
}
