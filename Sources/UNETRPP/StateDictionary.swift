import Checkpoints

/// One entry of the published state dictionary.
public struct StateEntry: Sendable, Equatable {
  public let name: String
  /// The shape as PyTorch stores it.
  public let shape: [Int]
  /// Whether inference cannot do without it. The others are the deep-supervision heads and the
  /// second name of a shared projection.
  public let isRequired: Bool
}

extension NetworkDescription {
  /// Every tensor of the reference implementation's state dictionary, except the counters
  /// `*.num_batches_tracked`. Valid only after `validate`.
  public func stateDictionary() -> [StateEntry] {
    var builder = StateDictionaryBuilder(description: self)
    builder.addEncoder()
    builder.addDecoder()
    builder.addHeads()
    return builder.entries
  }

  /// Checks a weights file against the state dictionary.
  package func check(_ file: SafetensorsFile) throws(NetworkError) {
    var names = Set(file.tensorNames)
    for expected in stateDictionary() {
      guard let entry = file.entry(expected.name) else {
        guard expected.isRequired else { continue }
        throw .missingTensor(path: file.path, name: expected.name, expected: expected.shape)
      }
      guard entry.shape == expected.shape else {
        throw .wrongShape(
          path: file.path, name: expected.name, expected: expected.shape, actual: entry.shape)
      }
      names.remove(expected.name)
    }
    for name in names.sorted() where !name.hasSuffix(".num_batches_tracked") {
      throw .unexpectedTensor(path: file.path, name: name, shape: file.entry(name)?.shape ?? [])
    }
  }
}

private struct StateDictionaryBuilder {
  let description: NetworkDescription
  var entries: [StateEntry] = []

  mutating func add(_ name: String, _ shape: [Int], required: Bool = true) {
    entries.append(StateEntry(name: name, shape: shape, isRequired: required))
  }

  mutating func addEncoder() {
    let d = description
    for stage in 0..<4 {
      let name = "unetr_pp_encoder.downsample_layers.\(stage)"
      let kernel = stage == 0 ? d.stem : [2, 2, 2]
      let input = stage == 0 ? d.inputChannels : d.dims[stage - 1]
      add("\(name).0.conv.weight", [d.dims[stage], input] + kernel)
      add("\(name).1.weight", [d.dims[stage]])
      add("\(name).1.bias", [d.dims[stage]])
      addTransformerBlocks(
        "unetr_pp_encoder.stages.\(stage)", count: d.depths[stage], stage: stage,
        projection: d.projections[stage])
    }
    add("encoder1.conv1.conv.weight", [d.featureSize, d.inputChannels, 3, 3, 3])
    add("encoder1.conv2.conv.weight", [d.featureSize, d.featureSize, 3, 3, 3])
    guard d.inputChannels != d.featureSize else { return }  // the shortcut is the input itself
    add("encoder1.conv3.conv.weight", [d.featureSize, d.inputChannels, 1, 1, 1])
  }

  mutating func addDecoder() {
    let d = description
    for (index, level) in [5, 4, 3].enumerated() {
      let stage = 2 - index
      add("decoder\(level).transp_conv.conv.weight", [d.dims[stage + 1], d.dims[stage], 2, 2, 2])
      addTransformerBlocks(
        "decoder\(level).decoder_block.0", count: d.decoderDepths[index], stage: stage,
        projection: d.decoderProjections[index])
    }
    add("decoder2.transp_conv.conv.weight", [d.dims[0], d.featureSize] + d.stem)
    for conv in ["conv1", "conv2"] {
      add("decoder2.decoder_block.0.\(conv).conv.weight", [d.featureSize, d.featureSize, 3, 3, 3])
    }
  }

  mutating func addHeads() {
    let d = description
    for (name, channels) in [("out1", d.featureSize), ("out2", d.dims[0]), ("out3", d.dims[1])] {
      add("\(name).conv.conv.weight", [d.classes, channels, 1, 1, 1], required: name == "out1")
      add("\(name).conv.conv.bias", [d.classes], required: name == "out1")
    }
  }

  private mutating func addTransformerBlocks(
    _ prefix: String, count: Int, stage: Int, projection: Int
  ) {
    let tokens = description.grid(ofStage: stage).voxels
    let channels = description.dims[stage]
    for index in 0..<count {
      let name = "\(prefix).\(index)"
      add("\(name).gamma", [channels])
      add("\(name).pos_embed", [1, tokens, channels])
      add("\(name).norm.weight", [channels])
      add("\(name).norm.bias", [channels])
      addAttention("\(name).epa_block", tokens: tokens, channels: channels, projection: projection)
      for block in 0..<description.blocks.residualBlocks {
        addResidualBlock("\(name).conv5\(block + 1)", channels: channels)
      }
      add("\(name).conv8.1.weight", [channels, channels, 1, 1, 1])
      add("\(name).conv8.1.bias", [channels])
    }
  }

  private mutating func addAttention(
    _ name: String, tokens: Int, channels: Int, projection: Int
  ) {
    add("\(name).temperature", [description.heads, 1, 1])
    add("\(name).temperature2", [description.heads, 1, 1])
    add("\(name).qkvv.weight", [4 * channels, channels])
    guard description.blocks.hasOutputProjections else {
      return add("\(name).EF", [tokens, projection])
    }
    for letter in ["E", "F"] {
      let required = letter == "E" || description.blocks.hasSeparateProjections
      add("\(name).\(letter).weight", [projection, tokens], required: required)
      add("\(name).\(letter).bias", [projection], required: required)
    }
    for layer in ["out_proj", "out_proj2"] {
      add("\(name).\(layer).weight", [channels / 2, channels])
      add("\(name).\(layer).bias", [channels / 2])
    }
  }

  private mutating func addResidualBlock(_ name: String, channels: Int) {
    for index in 1...2 {
      add("\(name).conv\(index).conv.weight", [channels, channels, 3, 3, 3])
      for part in ["weight", "bias", "running_mean", "running_var"] {
        add("\(name).norm\(index).\(part)", [channels])
      }
    }
  }
}
