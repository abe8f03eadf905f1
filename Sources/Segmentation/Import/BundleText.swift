import Foundation
import Terminology
import UNETRPP

/// `model.yaml` of an imported model.
struct BundleText {
  var name: String
  var version: String
  var preset: ModelPreset
  var inference: ModelBundle.Inference
  var postprocessing: [LargestComponents]
  /// Whether results hold the preset's groupings in place of its labels.
  var writesGroupings = false
  var weightsFile: String
  var weightsSHA256: String

  var yaml: String {
    let network = preset.network
    return """
      # Written by `segmentd models import --preset \(preset.name)`; CARD.md tells where each number \
      comes from.
      name: \(quoted(name))
      version: \(quoted(version))
      summary: \(quoted(preset.summary))
      intendedUse: research use only
      network:
      \(network.yamlLines.map { "  \($0)" }.joined(separator: "\n"))
      preprocessing:
        orientation: \(preset.preprocessing.orientationYAML)   # patient direction in which each array axis (z, y, x) grows
      \(transpose)  spacing: \(preset.preprocessing.spacing)   # mm, z y x
        cropToNonzero: \(preset.preprocessing.cropToNonzero)
        normalization:
      \(preset.preprocessing.normalization.map { "    - \($0.yaml)" }.joined(separator: "\n"))
      inference:
        step: \(inference.step)
        mirrorAxes: \(inference.mirrorAxes)   # the reference mirrors \(preset.mirrorAxes): eight passes
        throughPlane: \(inference.throughPlane.rawValue)   # or linear: between slices that are far apart
      \(components)labels:
      \(preset.labels.map(text).joined(separator: "\n"))\(groupings)\(series)
      input:
        modalities: \(list(preset.input.modalities))
      \(bodyParts)  spacing: \(preset.input.spacing.yaml)   # mm, z y x
        extent: \(preset.input.extent.yaml)   # mm, z y x
      \(rules)licence: \(quoted(Self.licence))
      trainingData: \(quoted(preset.trainingData))
      weights: {file: \(weightsFile), sha256: \(weightsSHA256)}

      """
  }

  static let licence =
    "not stated with the checkpoint; the authors' code is Apache-2.0, the training data have terms "
    + "of their own"

  private var series: String { preset.seriesText.isEmpty ? "" : "\n" + preset.seriesText }

  private var transpose: String {
    let order = preset.preprocessing.transpose
    return order == [0, 1, 2] ? "" : "  transpose: \(order)\n"
  }

  private var bodyParts: String {
    let parts = preset.input.bodyParts
    return parts.isEmpty ? "" : "  bodyParts: \(list(parts))\n"
  }

  private var components: String {
    guard !postprocessing.isEmpty else { return "" }
    let items = postprocessing.map { rule in
      "    - {labels: \(rule.labels)"
        + (rule.removeBelow.map { ", removeBelow: \($0)" } ?? "") + "}"
    }
    return "postprocessing:\n  largestComponents:\n" + items.joined(separator: "\n") + "\n"
  }

  /// What is usual of results; a rule on a label that the model lacks is left out.
  private var rules: String {
    let names = Dictionary(
      preset.labels.map { ($0.value, $0.name) }, uniquingKeysWith: { first, _ in first })
    let limits = preset.output.compactMap { limit in
      names[limit.label].map { "  - \(limit.yaml)   # \(comment($0))" }
    }
    let relations = preset.relations.compactMap { relation -> String? in
      guard let name = names[relation.label], let other = names[relation.other] else { return nil }
      return "  - \(relation.yaml)   # \(comment(name)), \(comment(other))"
    }
    let lines =
      (limits.isEmpty ? [] : ["output:   # ml; a result beyond it is suspect"] + limits)
      + (relations.isEmpty ? [] : ["relations:"] + relations)
    return lines.map { $0 + "\n" }.joined()
  }

  /// A name without what would end its line.
  private func comment(_ name: String) -> String {
    String(name.map { $0.isNewline ? " " : $0 })
  }

  private func text(_ label: SegmentDescription) -> String {
    var lines = [
      "  - value: \(label.value)", "    name: \(quoted(label.name))",
      "    category: \(text(label.category))", "    type: \(text(label.type))",
    ]
    if let modifier = label.modifier { lines.append("    modifier: \(text(modifier))") }
    if let region = label.anatomicRegion { lines.append("    region: \(text(region))") }
    lines.append("    color: \(label.color)")
    return lines.joined(separator: "\n")
  }

  private var groupings: String {
    guard !preset.groupings.isEmpty else { return "" }
    let items = preset.groupings.map { grouping in
      var lines = [
        "  - name: \(quoted(grouping.name))", "    labels: \(grouping.labels.sorted())",
        "    category: \(text(grouping.category))", "    type: \(text(grouping.type))",
      ]
      if let region = grouping.anatomicRegion { lines.append("    region: \(text(region))") }
      lines.append("    color: \(grouping.color)")
      return lines.joined(separator: "\n")
    }
    return "\ngroupings:\n" + items.joined(separator: "\n")
      + "\nsegments: \(writesGroupings ? "groupings" : "labels")   # what a result holds"
  }

  private func text(_ code: CodedConcept) -> String {
    "{value: \(quoted(code.value)), scheme: \(code.scheme), meaning: \(quoted(code.meaning))}"
  }

  private func list(_ texts: [String]) -> String {
    "[\(texts.map(quoted).joined(separator: ", "))]"
  }

  /// Text in double quotes, which YAML reads as JSON does.
  private func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case "\u{0}"..<" ", "\u{7F}": "\\u" + String(format: "%04x", scalar.value)
      default: String(scalar)
      }
    }
    return "\"\(escaped.joined())\""
  }
}
