/// Metrics in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
///
/// ```swift
/// var text = MetricsText()
/// text.add("segmentd_jobs", .gauge, "Jobs by state.", [(["state": "held"], 2)])
/// ```
struct MetricsText {
  enum Kind: String {
    case gauge, counter, histogram
  }

  typealias Labels = KeyValuePairs<String, String>

  private(set) var text = ""

  /// Adds a metric with all its samples.
  mutating func add(
    _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: Double)]
  ) {
    begin(name, kind, help)
    for sample in samples { add(name, Array(sample.labels), sample.value) }
  }

  /// Adds a histogram for each set of labels; bounds and buckets, which are not cumulated, go together.
  mutating func add(
    _ name: String, _ help: String, bounds: [Double],
    _ samples: [(labels: Labels, buckets: [Int], count: Int, sum: Double)]
  ) {
    begin(name, .histogram, help)
    for sample in samples {
      let labels = Array(sample.labels)
      var total = 0
      for (bound, count) in zip(bounds, sample.buckets) {
        total += count
        add("\(name)_bucket", labels + [("le", Self.number(bound))], Double(total))
      }
      add("\(name)_bucket", labels + [("le", "+Inf")], Double(sample.count))
      add("\(name)_sum", labels, sample.sum)
      add("\(name)_count", labels, Double(sample.count))
    }
  }

  private mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  private mutating func add(
    _ name: String, _ labels: [(key: String, value: String)], _ value: Double
  ) {
    let list = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(Self.number(value))\n"
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for character in value.unicodeScalars {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(character)
      }
    }
    return text
  }
}
