import DICOM
import Foundation
import TestSupport
import Testing

@testable import Results

/// Dates and times of ours are local, or by the offset that the source states.
@Suite struct ObjectTimeTests {
  /// 2026-03-08 23:45:10 UTC.
  private static let moment = Date(timeIntervalSince1970: 1_773_013_510)

  private func origin(_ secondsFromUTC: Int) -> ResultOrigin {
    ResultOrigin(
      modelName: "m", modelVersion: "1", softwareVersion: "1", deviceSerialNumber: "1",
      seriesNumber: 1, date: Self.moment, secondsFromUTC: secondsFromUTC)
  }

  @Test(arguments: [
    (0, "20260308", "234510"), (-5 * 3600, "20260308", "184510"),
    (9 * 3600, "20260309", "084510"), (20_700, "20260309", "053010"),
    (-34_200, "20260308", "141510"), (14 * 3600, "20260309", "134510"),
  ])
  func withoutAnOffsetOfTheSourceTimeIsLocal(seconds: Int, date: String, time: String) {
    let made = ObjectTime(origin(seconds), source: Dataset())
    #expect(made.date == date && made.time == time)
    #expect(made.offset == nil)
  }

  @Test(arguments: [
    ("+0000", "20260308", "234510"), ("-0500", "20260308", "184510"),
    ("+0530", "20260309", "051510"), ("-0930", "20260308", "141510"),
    ("+1245", "20260309", "123010"), (" +0900 ", "20260309", "084510"),
  ])
  func theSourcesOffsetIsTaken(text: String, date: String, time: String) {
    var source = Dataset()
    source.set(.timezoneOffsetFromUTC, .SH, text)
    let made = ObjectTime(origin(7200), source: source)
    #expect(made.date == date && made.time == time)
    #expect(made.offset?.text == text.trimmingCharacters(in: .whitespaces))
  }

  /// -0000 is not allowed (PS3.3 C.12.1.1.8), and clear.
  @Test func minusZeroIsWrittenAsZero() {
    #expect(TimezoneOffset("-0000")?.text == "+0000")
  }

  @Test(arguments: ["", "EST", "0530", "+05:30", "+530", "+1401", "-1201", "+0560", "+05300", "Z"])
  func whatIsNoOffsetIsNotTaken(text: String) {
    var source = Dataset()
    source.set(.timezoneOffsetFromUTC, .SH, text)
    let made = ObjectTime(origin(3600), source: source)
    #expect(made.offset == nil && made.time == "004510")
  }

  /// Every date and time of an object that is not copied is the same moment.
  @Test(arguments: [nil, "-0330"])
  func allTimesOfAnObjectAgree(offset: String?) throws {
    let series = try PhantomSeries { dataset in
      if let offset { dataset.set(.timezoneOffsetFromUTC, .SH, offset) }
    }
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(
      PhantomLabels.volume(on: series.stack.grid), origin: origin(3600))
    _ = try object.write(to: path)
    try object.prove(path)
    let dataset = try DICOMFile(path: path).dataset
    let copied: Set<DICOM.Tag> = [.studyDate, .studyTime, .patientBirthDate]
    for (tag, element) in dataset.elements where !copied.contains(tag) {
      switch element.vr {
      case .DA: #expect(dataset.text(tag) == (offset == nil ? "20260309" : "20260308"), "\(tag)")
      case .TM: #expect(dataset.text(tag) == (offset == nil ? "004510" : "201510"), "\(tag)")
      case .DT: Issue.record("\(tag) is not looked at")
      default: break
      }
    }
    #expect(dataset.text(.timezoneOffsetFromUTC) == offset)
    #expect(dataset.text(.studyTime) == "101112")
  }
}
