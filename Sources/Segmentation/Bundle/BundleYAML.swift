import UNETRPP

// Sections of `model.yaml` as text, as `BundleNode` reads them.

extension NetworkDescription {
  /// A line for each key of the section `network`.
  var yamlLines: [String] {
    [
      "blocks: \(blocks.rawValue)", "patch: \(patch)", "inputChannels: \(inputChannels)",
      "classes: \(classes)", "stem: \(stem)", "featureSize: \(featureSize)", "dims: \(dims)",
      "heads: \(heads)", "depths: \(depths)", "decoderDepths: \(decoderDepths)",
      "projections: \(projections)", "decoderProjections: \(decoderProjections)",
    ]
  }
}

extension Preprocessing {
  var orientationYAML: String {
    orientation.isEmpty
      ? "acquired" : "[\(orientation.map(\.rawValue).joined(separator: ", "))]"
  }

  /// A line for each key of the section `preprocessing`.
  var yamlLines: [String] {
    [
      "orientation: \(orientationYAML)", "transpose: \(transpose)", "spacing: \(spacing)",
      "cropToNonzero: \(cropToNonzero)",
      "normalization: [\(normalization.map(\.yaml).joined(separator: ", "))]",
    ]
  }
}

extension Normalization {
  var yaml: String {
    switch self {
    case .ct(let lower, let upper, let mean, let sd, let insideMask):
      "{scheme: ct, lower: \(lower), upper: \(upper), mean: \(mean), sd: \(sd)"
        + (insideMask ? ", insideMask: true}" : "}")
    case .zscore(let insideMask): "{scheme: zscore, insideMask: \(insideMask)}"
    }
  }
}

extension InputLimits.Range {
  var yaml: String { "{min: \(min), max: \(max)}" }
}

extension IntensityLimit {
  var yaml: String {
    "{statistic: \(statistic.rawValue), channel: \(channel), usual: \(usual), accepted: \(accepted)}"
  }
}

extension IntensityPattern {
  var yaml: String { "{shape: \(shape), mirrorAxes: \(mirrorAxes), values: \(values)}" }
}

extension OutputLimit {
  var yaml: String {
    let refusal = accepted.map {
      ", accepted: {millilitres: \($0.millilitres), largestPart: \($0.largestPart)}"
    }
    let shape =
      (parts.map { ", parts: \($0)" } ?? "") + (compactness.map { ", compactness: \($0)" } ?? "")
    return
      "{label: \(label), millilitres: \(millilitres), largestPart: \(largestPart)\(shape)\(refusal ?? "")}"
  }
}

extension LabelRelation {
  var yaml: String {
    switch kind {
    case .direction(let direction): "{label: \(label), \(direction.rawValue): \(other)}"
    case .inside(let least): "{label: \(label), inside: \(other), leastPart: \(least)}"
    case .similar(let ratio): "{label: \(label), similarTo: \(other), ratio: \(ratio)}"
    }
  }
}
