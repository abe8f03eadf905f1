import JobLedger
import Segmentation

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
