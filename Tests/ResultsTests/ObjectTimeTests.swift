import DICOM
import Foundation
import TestSupport
import Testing

@testable import Results

/// Dates and times of ours are those that the source images state, by the offset that they state.
@Suite struct ObjectTimeTests {
  @Test(arguments: ["+0000", "-0500", "+0530", " -0930 ", "+1245", "+1400", "-1200"])
  func anOffsetIsReadAndWritten(text: String) {
    #expect(TimezoneOffset(text.trimmingCharacters(in: .whitespaces))?.text == text.trimmed)
  }

  /// -0000 is not allowed (PS3.3 C.12.1.1.8), and clear.
  @Test func minusZeroIsWrittenAsZero() {
    #expect(TimezoneOffset("-0000")?.text == "+0000")
  }

  @Test(arguments: ["", "EST", "0530", "+05:30", "+530", "+1401", "-1201", "+0560", "+05300", "Z"])
  func whatIsNoOffsetIsNotTaken(text: String) {
    #expect(TimezoneOffset(text) == nil)
  }

  /// Every date and time of an object that is not copied is the same moment.
  @Test(arguments: [nil, "-0330"])
  func allTimesOfAnObjectAgree(offset: String?) throws {
    let series = try PhantomSeries { dataset in
      if let offset { dataset.set(.timezoneOffsetFromUTC, .SH, offset) }
    }
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    var origin = PhantomLabels.origin
    origin.moment = try #require(StatedMoment(date: "20260309", time: "004510"))
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid), origin: origin)
    _ = try object.write(to: path)
    try object.prove(path)
    let dataset = try DICOMFile(path: path).dataset
    let copied: Set<DICOM.Tag> = [.studyDate, .studyTime, .patientBirthDate]
    for (tag, element) in dataset.elements where !copied.contains(tag) {
      switch element.vr {
      case .DA: #expect(dataset.text(tag) == "20260309", "\(tag)")
      case .TM: #expect(dataset.text(tag) == "004510", "\(tag)")
      case .DT: Issue.record("\(tag) is not looked at")
      default: break
      }
    }
    #expect(dataset.text(.timezoneOffsetFromUTC) == offset)
    #expect(dataset.text(.studyTime) == "101112")
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
