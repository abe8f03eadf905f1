import Testing

@testable import Pipeline

@Suite struct MetricsTextTests {
  @Test func labelsAreEscaped() {
    var text = MetricsText()
    text.add("a", .gauge, "Help.", [(["name": "a\"b\\c\nd"], 1.5), ([:], 2)])
    #expect(text.text == "# HELP a Help.\n# TYPE a gauge\na{name=\"a\\\"b\\\\c\\nd\"} 1.5\na 2\n")
  }

  @Test func histogramsAreCumulated() {
    var text = MetricsText()
    text.add(
      "h", "Help.", bounds: [0.5, 1], [(labels: ["x": "y"], buckets: [2, 1], count: 4, sum: 9.25)])
    #expect(
      text.text == """
        # HELP h Help.
        # TYPE h histogram
        h_bucket{x="y",le="0.5"} 2
        h_bucket{x="y",le="1"} 3
        h_bucket{x="y",le="+Inf"} 4
        h_sum{x="y"} 9.25
        h_count{x="y"} 4

        """)
  }
}
