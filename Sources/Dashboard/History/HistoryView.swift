import Foundation
import Wording

/// A course as a study's page shows it: a curve for each measurement, and a table of all values.
struct HistoryView {
  struct Curve {
    var name: String
    var unit: String
    /// For who does not see it.
    var description: String
    /// Of a polyline, in units of the picture.
    var line: String
    var dots: [Dot]
    var highest: String
    var lowest: String
    var first: String
    var last: String
  }

  struct Dot {
    var x: String
    var y: String
    var title: String
    /// Whether it is of the study that the page is about.
    var isHere: Bool
  }

  struct Row {
    var date: String
    var study: String
    var short: String
    var isHere: Bool
    var job: Int64
    var version: String
    var values: [String]
  }

  var model: String
  var hasCurves: Bool
  var curves: [Curve]
  var columns: [String]
  var rows: [Row]
  var notes: [String]

  /// - Parameters:
  ///   - history: of several studies.
  ///   - study: that the page is about.
  init(_ history: MeasurementHistory, study: String) {
    model = history.model
    hasCurves = history.studies > 1
    columns = history.names.map { "\($0) (\(history.units[$0] ?? ""))" }
    curves = history.names.map { Self.curve($0, history, study) }
    rows = history.points.map { point in
      Row(
        date: Self.day(point.examinedAt), study: point.studyInstanceUID,
        short: shortened(point.studyInstanceUID), isHere: point.studyInstanceUID == study,
        job: point.job, version: point.modelVersion,
        values: history.names.map { name in
          point.values[name].map { shownMeasurement($0) } ?? "not found"
        })
    }
    notes = Self.notes(history)
  }

  private static func notes(_ history: MeasurementHistory) -> [String] {
    var notes: [String] = []
    if Set(history.points.map(\.modelVersion)).count > 1 {
      notes.append(
        "The results are of different versions of the model, which may differ by themselves.")
    }
    if history.omitted > 0 {
      notes.append(
        counted(history.omitted, "result is", "results are")
          + " left out: no date in the images, or no volumes were kept."
      )
    }
    if !history.isWhole {
      notes.append("Older results are still being looked through: there may be more in a while.")
    }
    return notes
  }

  private static let (width, height) = (300.0, 110.0)
  private static let edge = 6.0

  /// Straight between the studies, by time.
  private static func curve(
    _ name: String, _ history: MeasurementHistory, _ study: String
  ) -> Curve {
    let unit = history.units[name] ?? ""
    let points = history.points.filter { history.value(name, $0) != nil }
    let values = points.compactMap { history.value(name, $0) }
    let times = points.map(\.examinedAt.timeIntervalSince1970)
    let (low, high) = (values.min() ?? 0, values.max() ?? 0)
    let (begin, end) = (times.first ?? 0, times.last ?? 0)
    func place(_ value: Double, _ from: Double, _ to: Double, _ length: Double) -> Double {
      to > from ? edge + (value - from) / (to - from) * (length - 2 * edge) : length / 2
    }
    let dots = zip(points, values).map { point, value in
      Dot(
        x: number(place(point.examinedAt.timeIntervalSince1970, begin, end, width)),
        y: number(height - place(value, low, high, height)),
        title: "\(day(point.examinedAt)): \(shownMeasurement(value)) \(unit)",
        isHere: point.studyInstanceUID == study)
    }
    return Curve(
      name: name, unit: unit,
      description: "\(name): " + dots.map(\.title).joined(separator: "; "),
      line: dots.map { "\($0.x),\($0.y)" }.joined(separator: " "), dots: dots,
      highest: "\(shownMeasurement(high)) \(unit)", lowest: "\(shownMeasurement(low)) \(unit)",
      first: points.first.map { day($0.examinedAt) } ?? "",
      last: points.last.map { day($0.examinedAt) } ?? "")
  }

  /// A place in the picture.
  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func day(_ date: Date) -> String {
    date.formatted(Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day())
  }
}
