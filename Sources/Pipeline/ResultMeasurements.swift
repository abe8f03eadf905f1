import JobLedger
import Segmentation
import SeriesProcessing

extension SegmentedSeries {
  /// For the ledger: what the heart does, of a cine series; of another one the volume of each structure that was
  /// found.
  var measurements: [ResultMeasurement] {
    let heart = function.flatMap(\.measurements) + (mass.map { [$0.measurement] } ?? [])
    guard heart.isEmpty, objects.allSatisfy({ $0.phase == nil }) else { return heart }
    // Of a divided result each object has some of the structures.
    let volumes = objects.reduce(into: [String: Double]()) {
      $0.merge($1.millilitres) { $0 + $1 }
    }
    return volumes.sorted { $0.key < $1.key }
      .map { ResultMeasurement(name: "\($0.key) volume", value: $0.value, unit: "ml") }
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
