import Checkpoints
import Terminology
import UNETRPP
import Wording

/// Networks of a user's own: what a checkpoint's shapes, the architecture file and nnU-Net's files
/// say in place of the preset.
extension ModelPreset {
  /// Replaces the preset's network by the checkpoint's. Returns what differs.
  mutating func takeNetwork(
    of checkpoint: Checkpoint, file: ArchitectureFile?, plansPatch: [Int]?
  ) throws(ModelImportError) -> [String] {
    let names = try WeightSelection.names(checkpoint)
    guard names.keys.contains(where: { $0.hasPrefix("unetr_pp_encoder.") }) else {
      throw .otherArchitecture(
        path: checkpoint.path, names: Array(checkpoint.tensorNames.prefix(3)),
        count: checkpoint.tensorNames.count)
    }
    let known = network
    let shapes = NetworkShapes { names[$0].flatMap { checkpoint.entry($0)?.shape } }
    var description = known
    if let shapes {
      description = shapes.description(patch: known.patch, kind: known.blocks)
      if description != known, file?.statesNetwork != true,
        let fits = WeightSelection.fitting(checkpoint), fits != name
      {
        throw .otherPreset(path: checkpoint.path, preset: name, fits: fits)
      }
    }
    do throws(ModelBundleError) {
      try file?.apply(to: &description)
    } catch {
      throw .bundle(error)
    }
    if let shapes, file?.statesPatch != true {
      description.patch = try Self.patch(
        shapes, preset: known.patch, plans: plansPatch, path: checkpoint.path)
    }
    do throws(NetworkError) {
      try description.validate()
    } catch {
      throw .network(error)
    }
    guard description != known else { return [] }
    network = description
    takeOwnership(file)
    return ["the network is not the preset's: \(Self.differences(known, description))"]
  }

  /// The preset's patch where it has as many tokens as the checkpoint, else the plans', else the only
  /// one that has.
  private static func patch(
    _ shapes: NetworkShapes, preset: [Int], plans: [Int]?, path: String
  ) throws(ModelImportError) -> [Int] {
    let possible = shapes.patches
    if possible.contains(preset) { return preset }
    if let plans, possible.contains(plans) { return plans }
    if possible.count == 1 { return possible[0] }
    throw .unknownPatch(
      path: path, name: NetworkShapes.positionName, tokens: shapes.tokens, stem: shapes.stem,
      possible: possible)
  }

  private static func differences(
    _ known: NetworkDescription, _ found: NetworkDescription
  ) -> String {
    [
      ("blocks", known.blocks.rawValue, found.blocks.rawValue),
      ("patch", "\(known.patch)", "\(found.patch)"),
      ("input channels", "\(known.inputChannels)", "\(found.inputChannels)"),
      ("classes", "\(known.classes)", "\(found.classes)"),
      ("stem", "\(known.stem)", "\(found.stem)"),
      ("feature size", "\(known.featureSize)", "\(found.featureSize)"),
      ("dims", "\(known.dims)", "\(found.dims)"), ("heads", "\(known.heads)", "\(found.heads)"),
      ("depths", "\(known.depths)", "\(found.depths)"),
      ("decoder depths", "\(known.decoderDepths)", "\(found.decoderDepths)"),
      ("projections", "\(known.projections)", "\(found.projections)"),
      (
        "decoder projections", "\(known.decoderProjections)", "\(found.decoderProjections)"
      ),
    ].filter { $0.1 != $0.2 }.map { "\($0.0) \($0.2) (preset \($0.1))" }.joined(separator: ", ")
  }

  /// The preset's numbers are no longer those of a published network.
  private mutating func takeOwnership(_ file: ArchitectureFile?) {
    summary =
      "A network of \(counted(network.classes - 1, "label")), imported with the preset \(name)"
    trainingData = "not stated; not the data of the preset \(name)"
    sources = sources.map {
      Source(
        subject: $0.subject, source: "the preset \(name), whose network is another one",
        isConfirmed: false)
    }
    let origin = "the shapes of the checkpoint's tensors" + (file.map { " and \($0.name)" } ?? "")
    replaceSources(["network"], by: origin)
    remarks = []
  }

  /// Labels of the architecture file, else of `dataset.json`, else the preset's where it has as many,
  /// else numbers.
  mutating func takeLabels(
    file: ArchitectureFile?, dataset: DatasetFile?, presetClasses: Int, checkpoint: String
  ) throws(ModelImportError) -> [String] {
    let stated: [SegmentDescription]?
    do throws(ModelBundleError) {
      stated = try file?.labelList(classes: network.classes)
    } catch {
      throw .bundle(error)
    }
    let named = dataset.map { dataset in
      dataset.labels.sorted { $0.key < $1.key }
        .map { LabelLexicon.label(UInt8(clamping: $0.key), $0.value) }
    }
    let values = Array(1..<network.classes)
    guard let list = stated ?? named else {
      guard presetClasses != network.classes else { return [] }
      replaceLabels(values.map { LabelLexicon.label(UInt8(clamping: $0), "Label \($0)") })
      sources.append(
        Source(subject: "labels", source: "no file names them: numbers alone", isConfirmed: false))
      return [
        "the labels have no names: give nnU-Net's --dataset, or labels in an --architecture file"
      ]
    }
    guard list.map({ Int($0.value) }) == values else {
      throw .wrongLabels(
        path: checkpoint, source: (stated != nil ? file?.name : nil) ?? "dataset.json",
        values: list.map { Int($0.value) }, name: NetworkShapes.headName, classes: network.classes,
        featureSize: network.featureSize)
    }
    guard list != labels else { return [] }
    replaceLabels(list)
    sources.removeAll { $0.subject == "labels" }
    sources.append(
      Source(
        subject: "labels", source: (stated != nil ? file?.name : nil) ?? "dataset.json",
        isConfirmed: true))
    return []
  }

  private mutating func replaceLabels(_ list: [SegmentDescription]) {
    takeRules(to: list)
    labels = list
    groupings = []
    // Cavities of a cine series are labels by number.
    if seriesText.hasPrefix("cine:") { seriesText = "" }
  }

  /// Channels as the network has them. Returns what was noticed.
  mutating func takeChannels(
    _ dataset: DatasetFile?, presetChannels: Int
  ) throws(ModelImportError) -> [String] {
    let count = network.inputChannels
    if let dataset, !dataset.channels.isEmpty, dataset.channels.count != count {
      throw .plansMismatch(
        path: "dataset.json",
        reason: "\(counted(dataset.channels.count, "channel")), the network has \(count)"
      )
    }
    if preprocessing.normalization.count != count {
      let schemes = preprocessing.normalization
      guard let first = schemes.first, case .zscore = first, schemes.allSatisfy({ $0 == first })
      else {
        throw .missingNormalization(channels: count, preset: name, found: schemes.count)
      }
      preprocessing.normalization = Array(repeating: first, count: count)
    }
    guard let names = dataset?.channels, !names.isEmpty, names.count > 1 || count != presetChannels
    else {
      if count != presetChannels { seriesText = "" }
      return []
    }
    seriesText = ""
    return ["the channels are, in this order: \(names.joined(separator: ", "))"]
  }
}
