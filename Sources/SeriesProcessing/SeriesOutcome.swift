import Foundation
import Results
import Segmentation

/// A segmentation object that was read back from disk and found equal to the label volume.
public struct ProvedSegmentation: Sendable, Equatable, Codable {
  public var segmentation: URL
  public var sopInstanceUID: String
  /// Of the file as it was proved, as 64 hexadecimal digits.
  public var sha256: String
  public var picture: URL
  /// The labels as NIfTI, where they were asked for.
  public var labels: URL?
  /// Volume of each segment that was found, in millilitres, by name.
  public var millilitres: [String: Double]
  /// The phase of a cine series that it is about; nil for an ordinary series.
  public var phase: SegmentedPhase?
  /// What is unusual compared with the model's training volumes: a person should look at the
  /// result.
  public var warnings: [String] = []
  /// How the labels were made, where a reader should know.
  public var notes: [String] = []
  /// The same labels in other forms, where they are asked for; of a divided result all are with the first
  /// object.
  public var companions: [ProvedCompanion] = []
}

/// An object that shows the labels of a segmentation in another form, read back from disk and found equal to
/// them.
public struct ProvedCompanion: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Equatable, Codable {
    case labelMap
    /// A segmentation of the network's probabilities.
    case fractional
    case structureSet
  }

  public var kind: Kind
  public var file: URL
  public var sopInstanceUID: String
  /// Of the file as it was proved, as 64 hexadecimal digits.
  public var sha256: String
}

/// A measurement report that was read back from disk and found to say what is on disk.
public struct ProvedReport: Sendable, Equatable, Codable {
  public var file: URL
  public var sopInstanceUID: String
  /// Of the file as it was proved, as 64 hexadecimal digits.
  public var sha256: String
}

/// A secondary capture that was read back from disk and found to show the source images and the labels.
public struct ProvedCapture: Sendable, Equatable, Codable {
  public enum Form: String, Sendable, Equatable, Codable {
    /// Of all images that are shown.
    case frames
    /// Of one image.
    case frame
    /// Of the result at a glance.
    case page
  }

  public var form: Form
  public var file: URL
  public var sopInstanceUID: String
  /// Of the file as it was proved, as 64 hexadecimal digits.
  public var sha256: String
  /// The same picture as PNG; nil but for a page.
  public var picture: URL?
}

/// One phase of a cine series.
public struct SegmentedPhase: Sendable, Equatable, Codable {
  /// By time, from 1.
  public var number: Int
  public var count: Int
  /// Trigger Time (0018,1060) in ms, the mean of the phase's images.
  public var triggerTime: Double?
  /// end-diastole or end-systole.
  public var name: String?

  /// The moment of the heartbeat by its name.
  var cyclePoint: CyclePoint? {
    switch name {
    case "end-diastole": .endDiastole
    case "end-systole": .endSystole
    default: nil
    }
  }

  /// For people: "end-diastole, phase 1 of 25 at 12 ms".
  public var text: String {
    let time = triggerTime.map { " at \(Int($0.rounded())) ms" } ?? ""
    return (name.map { "\($0), " } ?? "") + "phase \(number) of \(count)\(time)"
  }
}

/// Memory in bytes, the network's included.
public struct MemoryUse: Sendable, Equatable, Codable {
  /// The process's peak as it was predicted before the job began.
  public var predicted: Int
  /// The process's peak since its start; nil where the system does not say.
  public var peak: Int?
}

/// The results of one series.
public struct SegmentedSeries: Sendable, Equatable, Codable {
  /// One, or one for each phase in which something was found; several of each where a result is divided.
  /// Never empty.
  public var objects: [ProvedSegmentation]
  /// What the cavities do, where end-diastole and end-systole were segmented.
  public var function: [CardiacFunction] = []
  /// Of the myocardium, where end-diastole was segmented and the model knows it.
  public var mass: MyocardialMass?
  /// Contours of end-diastole above those of end-systole, where both were segmented.
  public var cyclePicture: URL?
  /// What was measured in the objects, where a report is asked for.
  public var report: ProvedReport?
  /// Pictures as DICOM objects, where they are asked for.
  public var captures: [ProvedCapture] = []
  public var memory: MemoryUse
  /// That nothing was found in a phase that has no object, and what else is unusual about it.
  public var emptyPhases: [String] = []

  /// The pictures of the objects, each once: those of a divided result share one.
  public var pictures: [URL] { Self.once(objects.map(\.picture)) }

  /// What is unusual, with the phase that it is about; each said once.
  public var warnings: [String] {
    Self.once(
      objects.flatMap { object in
        object.warnings.map { (object.phase.map { "\($0.text): " } ?? "") + $0 }
      } + emptyPhases)
  }

  /// How the labels were made, where a reader should know; each said once.
  public var notes: [String] { Self.once(objects.flatMap(\.notes)) }

  private static func once<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
  }

  /// One line for people: the segments and their volumes, and what is unusual or worth knowing.
  public var summary: String {
    let objects = objects.map { object in
      if object.millilitres.isEmpty {
        return (object.phase.map { "\($0.text): " } ?? "") + "nothing found"
      }
      let volumes = object.millilitres.sorted { $0.key < $1.key }
        .map { "\($0.key) " + String(format: "%.2f ml", $0.value) }.joined(separator: ", ")
      return (object.phase.map { "\($0.text): " } ?? "") + volumes
    }
    return
      (objects + function.map(\.text) + [mass?.text].compactMap(\.self)
      + warnings.map { "warning: \($0)" }
      + notes.map { "note: \($0)" })
      .joined(separator: "; ")
  }
}

extension CardiacFunction {
  /// For people.
  public var text: String {
    let fraction = ejectionFraction.map { String(format: "ejection fraction %.1f %%, ", $0 * 100) }
    return "\(cavity): \(fraction ?? "")"
      + String(
        format: "end-diastolic volume %.2f ml, end-systolic volume %.2f ml, stroke volume %.2f ml",
        endDiastolicVolume, endSystolicVolume, strokeVolume)
  }
}

extension MyocardialMass {
  /// For people.
  public var text: String {
    "\(structure): "
      + String(format: "mass %.1f g at end-diastole (%.2f g/ml)", grams, Self.density)
  }
}

/// The outcome for a series.
public enum SeriesOutcome: Sendable, Equatable, Codable {
  case segmented(SegmentedSeries)
  /// The model found none of its structures: by the options a report says so, objects with empty frames show
  /// it, or there is neither.
  case nothingFound(
    picture: URL, warnings: [String], objects: [ProvedSegmentation], report: ProvedReport?,
    captures: [ProvedCapture] = [])
  /// The series cannot be segmented; each reason says why.
  case held(reasons: [String])
}

extension SeriesOutcome {
  /// The objects of the result on disk.
  var dicomFiles: [URL] {
    switch self {
    case .segmented(let series):
      series.objects.map(\.segmentation) + series.objects.flatMap(\.companions).map(\.file)
        + [series.report?.file].compactMap(\.self) + series.captures.map(\.file)
    case .nothingFound(_, _, let objects, let report, let captures):
      objects.map(\.segmentation) + [report?.file].compactMap(\.self) + captures.map(\.file)
    case .held: []
    }
  }

  /// The segmentations among them, which people look at.
  var segmentationFiles: [URL] {
    switch self {
    case .segmented(let series): series.objects.map(\.segmentation)
    case .nothingFound(_, _, let objects, _, _): objects.map(\.segmentation)
    case .held: []
    }
  }

  /// Why a person has to look at the result before it is sent; nil where nothing is unusual, or there is none.
  var suspicions: [String]? {
    let warnings: [String]
    switch self {
    case .segmented(let series): warnings = series.warnings
    case .nothingFound(_, let found, _, _, _): warnings = found
    case .held: warnings = []
    }
    return warnings.isEmpty ? nil : warnings.map { "suspect: \($0)" }
  }
}

extension MemoryUse {
  /// The peak as it is now.
  init(predicted: Int) {
    self.init(predicted: predicted, peak: MemoryBudget.peakResident)
  }
}
