import Foundation

/// `plans.json` of nnU-Net version 2.
extension TrainingPlans {
  private struct File: Decodable {
    var transposeForward: [Int]
    var configurations: [String: Configuration]
    var intensities: [String: Intensity]?

    enum CodingKeys: String, CodingKey {
      case transposeForward = "transpose_forward"
      case configurations
      case intensities = "foreground_intensity_properties_per_channel"
    }
  }

  /// A configuration may inherit what it does not say from another one.
  private struct Configuration: Decodable {
    var parent: String?
    var preprocessor: String?
    var patch: [Int]?
    var spacing: [Double]?
    var schemes: [String]?
    var masks: [Bool]?
    var export: Export?

    enum CodingKeys: String, CodingKey {
      case parent = "inherits_from"
      case preprocessor = "preprocessor_name"
      case patch = "patch_size"
      case spacing
      case schemes = "normalization_schemes"
      case masks = "use_mask_for_norm"
      case export = "resampling_fn_probabilities_kwargs"
    }

    func filled(from parent: Configuration) -> Configuration {
      Configuration(
        parent: parent.parent, preprocessor: preprocessor ?? parent.preprocessor,
        patch: patch ?? parent.patch, spacing: spacing ?? parent.spacing,
        schemes: schemes ?? parent.schemes, masks: masks ?? parent.masks,
        export: export ?? parent.export)
    }
  }

  private struct Export: Decodable {
    var order: Int?
    var orderZ: Int?
    var forcesSeparateZ: Bool?

    enum CodingKeys: String, CodingKey {
      case order
      case orderZ = "order_z"
      case forcesSeparateZ = "force_separate_z"
    }
  }

  private struct Intensity: Decodable {
    var lower: Double
    var upper: Double
    var mean: Double
    var sd: Double

    enum CodingKeys: String, CodingKey {
      case lower = "percentile_00_5"
      case upper = "percentile_99_5"
      case mean
      case sd = "std"
    }
  }

  init(json bytes: [UInt8], configuration: String, path: String) throws(TrainingPlansError) {
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: Data(bytes))
    } catch {
      throw .notPlans(path: path, reason: Self.reason(error))
    }
    let chosen = try Self.resolved(configuration, in: file.configurations, path: path)
    func key(_ name: String) -> String { "configurations.\(configuration).\(name)" }
    guard let spacing = chosen.spacing else {
      throw .missing(path: path, key: key("spacing"))
    }
    guard spacing.count == 3, spacing.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw .invalid(path: path, key: key("spacing"), reason: "is \(spacing)")
    }
    guard let patch = chosen.patch else { throw .missing(path: path, key: key("patch_size")) }
    guard patch.count == 3, patch.allSatisfy({ (1...4096).contains($0) }) else {
      throw .invalid(path: path, key: key("patch_size"), reason: "is \(patch)")
    }
    guard file.transposeForward.sorted() == [0, 1, 2] else {
      throw .invalid(
        path: path, key: "transpose_forward", reason: "is \(file.transposeForward)")
    }
    guard let schemes = chosen.schemes, (1...64).contains(schemes.count) else {
      throw .missing(path: path, key: key("normalization_schemes"))
    }
    guard let masks = chosen.masks, masks.count == schemes.count else {
      throw .invalid(
        path: path, key: key("use_mask_for_norm"), reason: "is not one for each channel")
    }
    self.spacing = spacing
    self.patch = patch
    transposeForward = file.transposeForward
    preprocessor = chosen.preprocessor ?? "DefaultPreprocessor"
    exportSettings = Self.settings(chosen.export)
    channels = []
    for (index, (scheme, mask)) in zip(schemes, masks).enumerated() {
      var channel = Channel(scheme: scheme, usesMask: mask)
      if let found = file.intensities?["\(index)"] {
        channel.intensities = try Self.intensities(found, channel: index, path: path)
      }
      channels.append(channel)
    }
  }

  private static func intensities(_ found: Intensity, channel: Int, path: String)
    throws(TrainingPlansError) -> Intensities
  {
    guard found.lower < found.upper, found.sd > 0, found.mean.isFinite else {
      throw .invalid(
        path: path, key: "foreground_intensity_properties_per_channel.\(channel)",
        reason: "are clipped to \(found.lower)...\(found.upper), standard deviation \(found.sd)")
    }
    return Intensities(lower: found.lower, upper: found.upper, mean: found.mean, sd: found.sd)
  }

  /// The configuration with all that it inherits.
  private static func resolved(
    _ name: String, in all: [String: Configuration], path: String
  ) throws(TrainingPlansError) -> Configuration {
    guard var result = all[name] else {
      throw .configuration(
        path: path, wanted: name, known: all.keys.filter { $0.hasPrefix("3d") }.sorted())
    }
    for _ in all {
      guard let parent = result.parent else { break }
      guard let found = all[parent] else {
        throw .missing(path: path, key: "configurations.\(parent)")
      }
      result = result.filled(from: found)
    }
    guard result.parent == nil else {
      throw .invalid(
        path: path, key: "configurations.\(name).inherits_from", reason: "goes in a circle")
    }
    guard result.spacing?.count != 2 else {
      throw .configuration(
        path: path, wanted: name, known: all.keys.filter { $0.hasPrefix("3d") }.sorted())
    }
    return result
  }

  private static func settings(_ export: Export?) -> String? {
    guard let export, export.order != 1 || export.orderZ != 0 || export.forcesSeparateZ == true
    else { return nil }
    return "order \(export.order.map { "\($0)" } ?? "?"), order along z "
      + (export.orderZ.map { "\($0)" } ?? "?")
      + (export.forcesSeparateZ == true ? ", separate z forced" : "")
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      "there is no \((context.codingPath + [key]).map(\.stringValue).joined(separator: "."))"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      context.codingPath.map(\.stringValue).joined(separator: ".") + ": \(context.debugDescription)"
    default: "it is not JSON"
    }
  }
}
