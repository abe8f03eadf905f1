import DICOM
import Testing

@Suite struct StatedMomentTests {
  @Test(arguments: [
    ("20260308", "234510", "20260308", "234510"),
    ("20260308", "234510.999999", "20260308", "234510"),
    ("2026.03.08", "23:45:10", "20260308", "234510"), ("2026-03-08", "2345", "20260308", "234500"),
    ("20260308", "", "20260308", "000000"), ("20260308", "2500", "20260308", "000000"),
    ("20260308", "noon", "20260308", "000000"), ("20260308", "23451", "20260308", "000000"),
  ])
  func aDateIsTakenWithAsMuchOfItsTimeAsThereIs(
    date: String, time: String, expectedDate: String, expectedTime: String
  ) throws {
    let moment = try #require(StatedMoment(date: date, time: time))
    #expect(moment.date == expectedDate && moment.time == expectedTime)
    #expect(moment.day == "2026-03-08")
  }

  @Test(arguments: ["", "2026", "20261301", "20260100", "00000000", "today", "20260101-20260102"])
  func whatIsNoDateIsNotTaken(date: String) {
    #expect(StatedMoment(date: date, time: "101112") == nil)
  }

  @Test func theLatestCounts() throws {
    var dataset = Dataset()
    #expect(StatedMoment(latestIn: dataset) == nil)
    dataset.set(.studyDate, .DA, "20260102")
    dataset.set(.studyTime, .TM, "235900")
    dataset.set(.acquisitionDate, .DA, "20260103")
    dataset.set(.contentDate, .DA, "20260103")
    dataset.set(.contentTime, .TM, "000001")
    dataset.set(.seriesDate, .DA, "not known")
    let moment = try #require(StatedMoment(latestIn: dataset))
    #expect(moment.date == "20260103" && moment.time == "000001")
  }
}
