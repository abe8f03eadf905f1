/// A date and time of a dataset, as it states them: in its own time zone, whichever that is.
public struct StatedMoment: Sendable, Equatable, Comparable {
  /// DA: `YYYYMMDD`.
  public let date: String
  /// TM in whole seconds: `HHMMSS`.
  public let time: String

  /// The date as `YYYY-MM-DD`.
  public var day: String { "\(date.prefix(4))-\(date.dropFirst(4).prefix(2))-\(date.suffix(2))" }

  /// - Parameters:
  ///   - date: DA, also in the form `YYYY.MM.DD` of ACR-NEMA and with dashes.
  ///   - time: TM, also with colons; what it does not state is zero.
  /// - Returns: nil where the date is none.
  public init?(date: String, time: String?) {
    let digits = date.utf8.filter { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "-") }
    guard digits.count == 8, let number = Self.number(digits[...]), number > 0,
      (1...12).contains(number / 100 % 100), (1...31).contains(number % 100)
    else { return nil }
    self.date = String(decoding: digits, as: UTF8.self)
    self.time = Self.time(time ?? "")
  }

  /// 1 January 1900, where no date is known and one has to be stated.
  public static let unknown = StatedMoment(day: "19000101")

  private init(day: String) {
    date = day
    time = "000000"
  }

  /// The latest moment that an image states of itself or of its series: Instance Creation, Content,
  /// Acquisition, Series or Study Date and Time; nil where it states no date.
  public init?(latestIn dataset: Dataset) {
    let moments = Self.tags.compactMap { date, time in
      dataset.text(date).flatMap { StatedMoment(date: $0, time: dataset.text(time)) }
    }
    guard let latest = moments.max() else { return nil }
    self = latest
  }

  private static let tags: [(Tag, Tag)] = [
    (.instanceCreationDate, .instanceCreationTime), (.contentDate, .contentTime),
    (.acquisitionDate, .acquisitionTime), (.seriesDate, .seriesTime), (.studyDate, .studyTime),
  ]

  public static func < (a: StatedMoment, b: StatedMoment) -> Bool {
    (a.date, a.time) < (b.date, b.time)
  }

  /// Of a time that is none the first moment of the day.
  private static func time(_ text: String) -> String {
    let whole = text.utf8.prefix { $0 != UInt8(ascii: ".") }.filter { $0 != UInt8(ascii: ":") }
    guard whole.count <= 6, whole.count % 2 == 0 else { return "000000" }
    let parts = stride(from: 0, to: whole.count, by: 2).map { number(whole[$0..<$0 + 2]) }
    guard zip(parts, [24, 60, 60]).allSatisfy({ ($0 ?? 60) < $1 }) else { return "000000" }
    return String(decoding: whole, as: UTF8.self)
      + String(repeating: "0", count: 6 - whole.count)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1) - 0x30 }
  }
}
