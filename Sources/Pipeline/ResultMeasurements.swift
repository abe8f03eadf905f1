import JobLedger
import Segmentation
import SeriesProcessing

extension SegmentedSeries {
  /// What the heart does, for the ledger; empty for a series that is no cine.
  var measurements: [ResultMeasurement] {
    function.flatMap(\.measurements) + (mass.map { [$0.measurement] } ?? [])
  }
}

extension MyocardialMass {
  var measurement: ResultMeasurement {
    ResultMeasurement(name: "\(structure) mass", value: grams, unit: "g")
  }
}

extension CardiacFunction {
  var measurements: [ResultMeasurement] {
    var found = [
      ResultMeasurement(
        name: "\(cavity) end-diastolic volume", value: endDiastolicVolume, unit: "ml"),
      ResultMeasurement(
        name: "\(cavity) end-systolic volume", value: endSystolicVolume, unit: "ml"),
      ResultMeasurement(name: "\(cavity) stroke volume", value: strokeVolume, unit: "ml"),
    ]
    if let ejectionFraction {
      found.append(
        ResultMeasurement(
          name: "\(cavity) ejection fraction", value: ejectionFraction * 100, unit: "%"))
    }
    return found
  }
}
