/// CARD.md of an imported model: where it comes from and what is not certain of it.
struct ModelCard {
  var name: String
  var preset: ModelPreset
  var checkpoint: String
  var checkpointSHA256: String
  var format: String
  var plans: String?
  var isMirrored: Bool
  var selection: WeightSelection
  var notes: [String]

  var text: String {
    """
    # \(name)

    \(preset.summary). Imported from the authors' checkpoint by \
    `segmentd models import --preset \(preset.name)`.

    **Research use only.** Not a medical device; not validated for diagnosis or treatment. The \
    accuracy of this import was not measured: check it on images of the benchmark before use.

    ## Origin
    | | |
    |---|---|
    | checkpoint | \(cell(checkpoint)), SHA-256 `\(checkpointSHA256)` |
    | container | \(format) |
    | plans | \(cell(plans ?? "none given")) |
    | tensors taken | \(selection.taken.count) |
    | entries left | \(selection.left.count) |
    | method | Shaker et al., UNETR++, IEEE TMI 2024, doi 10.1109/TMI.2024.3398728 |
    | trained on | \(preset.trainingData) |
    | licence | \(BundleText.licence) |

    ## Where the numbers come from
    | number | source | confirmed |
    |---|---|---|
    \(preset.sources.map { source in
      "| \(source.subject) | \(cell(source.source)) | \(source.isConfirmed ? "yes" : "**to be confirmed**") |"
    }.joined(separator: "\n"))

    \(confirmation)Mirroring is \(isMirrored ? "on" : "off"); the published figures were made with it, in \
    eight passes a patch (`inference.mirrorAxes: \(preset.mirrorAxes)` in model.yaml).
    \((preset.remarks + notes).map { "\n- \($0)" }.joined())

    \(rules)## What was left of the checkpoint
    \(leftovers)

    """
  }

  private var confirmation: String {
    guard preset.sources.contains(where: { !$0.isConfirmed }) else { return "" }
    return """
      What is to be confirmed is not in what the authors publish. The plans that come with \
      their preprocessed data (or the `.model.pkl` next to a checkpoint) settle spacing and \
      intensities: import again with `--plans`. An orientation is settled by a look at the header \
      of one training file: `--orientation` overrides it.


      """
  }

  private var rules: String {
    let count = preset.output.count + preset.relations.count
    guard count > 0 else { return "" }
    return """
      ## What is usual of its results
      A result beyond `output` and `relations` in model.yaml is suspect: it carries a warning, and \
      is held where `results: {suspect: hold}` says so. \(cell(preset.rulesSource)).


      """
  }

  /// Entries by reason, with an example of each.
  private var leftovers: String {
    let groups = Dictionary(grouping: selection.left, by: \.reason).sorted { $0.key < $1.key }
    guard !groups.isEmpty else { return "Nothing." }
    return groups.map { reason, entries in
      "- \(entries.count) × \(cell(reason)), such as `\(cell(String(entries[0].name.prefix(100))))`"
    }.joined(separator: "\n")
  }

  /// Text from outside cannot break the table.
  private func cell(_ text: String) -> String {
    String(
      text.unicodeScalars.map { scalar in
        scalar == "|" || scalar == "`" || scalar.value < 0x20 || scalar.value == 0x7F
          ? "_" : Character(scalar)
      })
  }
}
