import Checkpoints
import Tensors

/// UNETR++ (Shaker et al., IEEE TMI 2024): a hierarchical encoder of transformer blocks with
/// efficient paired attention, a decoder joined to it by added skips, and a convolutional path at
/// full resolution.
///
/// Not Sendable: its activations belong to one caller at a time.
///
/// ```swift
/// let weights = try SafetensorsFile(path: "weights.safetensors")
/// let network = try Network(description: .synapse, weights: weights, threads: 2)
/// var logits = [Float](repeating: 0, count: network.logitsCount)  // K, D, H, W
/// try patch.withUnsafeBufferPointer { patch in  // C, D, H, W
///   try logits.withUnsafeMutableBufferPointer { try network.forward(patch, logits: $0) }
/// }
/// ```
public final class Network {
  public let description: NetworkDescription
  private let compute: Compute
  private let arena: Arena
  private let memory: Memory
  private let stages: [EncoderStage]  // 0...3
  private let encoder1: InputResidualBlock
  private let levels: [DecoderLevel]  // decoder5, decoder4, decoder3
  private let decoder2Upsampling: Upsampling
  private let decoder2Block: InstanceResidualBlock
  private let out1: Head

  /// Reads the weights and reserves all memory.
  /// - Parameters:
  ///   - description: sizes of the network, which the tensors have to match.
  ///   - weights: tensors by the names of the reference implementation's state dictionary, in any
  ///     floating-point type. `*.num_batches_tracked`, `out2.*` and `out3.*` are not used.
  ///   - threads: worker threads; results do not depend on their number.
  /// - Throws: `NetworkError`, naming a missing, unknown or misshapen tensor.
  public convenience init(
    description: NetworkDescription, weights: SafetensorsFile, threads: Int
  ) throws(NetworkError) {
    try self.init(description: description, weights: weights, threads: threads, instructions: nil)
  }

  /// With an instruction set of which the caller has checked that this machine has it; nil for its fastest.
  package init(
    description: NetworkDescription, weights file: SafetensorsFile, threads: Int,
    instructions: InstructionSet?
  ) throws(NetworkError) {
    try description.validate()
    try description.check(file)
    let bytes = description.activationBytes(threads: threads)
    guard let compute = Compute(threads: threads, instructions: instructions) else {
      throw .notEnoughMemory(bytes: bytes)
    }
    let plan = MemoryPlan(description, threads: compute.threads)
    let arena = try Self.arena(plan, bytes: bytes + description.weightBytes)
    self.description = description
    self.compute = compute
    self.arena = arena
    memory = plan.memory(in: arena)

    let weights = Weights(file: file)
    var stages: [EncoderStage] = []
    for stage in 0..<4 {
      stages.append(
        try EncoderStage(
          weights.part("unetr_pp_encoder"), description: description, stage: stage,
          compute: compute))
    }
    self.stages = stages
    encoder1 = try InputResidualBlock(
      weights.part("encoder1"), grid: description.patchGrid,
      inputChannels: description.inputChannels, channels: description.featureSize,
      compute: compute)
    var levels: [DecoderLevel] = []
    for (index, level) in [5, 4, 3].enumerated() {
      levels.append(
        try DecoderLevel(
          weights.part("decoder\(level)"), description: description, index: index,
          compute: compute))
    }
    self.levels = levels
    decoder2Upsampling = Upsampling(
      weights: try weights("decoder2.transp_conv.conv.weight"), kernel: description.stemGrid,
      inputChannels: description.dims[0], outputChannels: description.featureSize,
      compute: compute)
    decoder2Block = try InstanceResidualBlock(
      weights.part("decoder2.decoder_block.0"), grid: description.patchGrid,
      channels: description.featureSize, compute: compute)
    out1 = Head(
      weights: try weights("out1.conv.conv.weight"), bias: try weights("out1.conv.conv.bias"),
      channels: description.featureSize, classes: description.classes)
  }

  /// Memory for the activations, once there is room for the weights too.
  private static func arena(_ plan: MemoryPlan, bytes: Int) throws(NetworkError) -> Arena {
    do throws(NotEnoughMemory) {
      try ArenaLayout.checkAvailable(bytes: bytes)
      return try Arena(plan.layout)
    } catch {
      throw .notEnoughMemory(bytes: error.bytes)
    }
  }

  /// The floats of an input patch: (C, D, H, W), W fastest.
  public var inputCount: Int { description.inputChannels * description.patchGrid.voxels }
  /// The floats of the logits: (K, D, H, W), W fastest.
  public var logitsCount: Int { description.classes * description.patchGrid.voxels }
  /// The threads that work, the caller's included.
  public var threads: Int { compute.threads }
  /// The instruction set of the kernels: avx512, avx2 or portable.
  public var instructionSet: String { compute.instructionSet }
  /// What the last digits of its sums depend on.
  public var arithmetic: String { compute.arithmetic }

  /// Computes the logits of one patch.
  /// - Parameters:
  ///   - input: (C, D, H, W), W fastest, normalised as the model was trained.
  ///   - logits: (K, D, H, W), W fastest, before softmax.
  /// - Throws: `NetworkError.wrongCount` if a buffer has not the network's size.
  public func forward(
    _ input: UnsafeBufferPointer<Float>, logits: UnsafeMutableBufferPointer<Float>
  ) throws(NetworkError) {
    try forward(input, logits: logits, inspect: nil)
  }

  /// As above; `inspect` sees each stage's output, by the names of the reference implementation.
  func forward(
    _ input: UnsafeBufferPointer<Float>, logits: UnsafeMutableBufferPointer<Float>,
    inspect: ((_ name: String, _ output: Activation) -> Void)?
  ) throws(NetworkError) {
    guard input.count == inputCount, let x = input.baseAddress else {
      throw .wrongCount(buffer: "input", expected: inputCount, actual: input.count)
    }
    guard logits.count == logitsCount, let output = logits.baseAddress else {
      throw .wrongCount(buffer: "logits", expected: logitsCount, actual: logits.count)
    }
    var below = x
    for (index, stage) in stages.enumerated() {
      let level = memory.levels[index]
      stage.shrink(below, into: level, memory: memory, compute: compute)  // N x C
      inspect?("enc_down\(index)", level.x)
      stage.transform(level, memory: memory, compute: compute)  // N x C
      inspect?("enc_stage\(index)", level.x)
      below = UnsafePointer(level.x.data)
    }
    var deepest = memory.levels[3].x  // 1/8 of the stem's grid, dims[3]
    for (index, decoder) in levels.enumerated() {
      let level = memory.levels[2 - index]
      decoder(deepest, level: level, memory: memory, compute: compute)
      inspect?("decoder\(5 - index)", level.x)
      deepest = level.x  // the stem's grid, dims[0] at last
    }
    let full = memory.full  // D x H x W, featureSize
    encoder1(x, x: memory.input, full: full, compute: compute)
    if let inspect {
      finishEncoder1(x, in: full)
      inspect("encoder1", full.c)
    }
    upsampleToFull(deepest, full, x)
    decoder2Block(full, compute: compute)
    let voxels = full.c.tokens
    compute.timed(
      "last convolution", multiplyAdds: voxels * full.c.channels * description.classes,
      bytes: 4 * voxels * (2 * full.c.channels + description.classes)
    ) {
      out1(  // K x D x H x W
        full.c, normalisedBy: decoder2Block.norm2, plus: full.a, into: output, compute: compute)
    }
    if let inspect {
      finishDecoder2(in: full)
      inspect("decoder2", full.c)
    }
  }

  /// full.c = encoder1's output, whose last step is otherwise done row by row where it is read.
  private func finishEncoder1(_ input: UnsafePointer<Float>, in full: FullResolution) {
    for row in 0..<full.c.grid.rows {
      let (z, y) = row.quotientAndRemainder(dividingBy: full.c.grid.height)
      encoder1.row(
        z, y, of: full, input: input, into: full.c.voxels.line(z, y), compute: compute)
    }
  }

  /// full.c = decoder2's output, whose last step is otherwise part of the last convolution.
  private func finishDecoder2(in full: FullResolution) {
    for row in 0..<full.c.grid.rows {
      let first = row * full.c.grid.width * full.c.channels
      decoder2Block.norm2.activateRow(
        full.c.data + first, plus: full.a.data + first, into: full.c.data + first,
        count: full.c.grid.width, compute: compute)
    }
  }

  /// full.a = transposed convolution of `below` + encoder1's output.
  private func upsampleToFull(
    _ below: Activation, _ full: FullResolution, _ input: UnsafePointer<Float>
  ) {
    compute.timed(
      "transposed convolution and encoder1's output",
      multiplyAdds: full.a.tokens * below.channels * full.a.channels,
      bytes: 4 * full.a.tokens * (2 * full.a.channels + description.inputChannels)
    ) {
      decoder2Upsampling(below, into: full.a, compute: compute) { z, y, target in
        encoder1.row(z, y, of: full, input: input, into: target, compute: compute)
      }
    }
  }

  /// What this machine's arithmetic and memory can do with the network's threads.
  public func measurePeak() -> MachinePeak { MachinePeak(of: compute) }

  /// Where the time of what runs within `body` went, by kind of layer.
  public func profile(_ body: () throws -> Void) rethrows -> [Profile.Entry] {
    let profile = Profile()
    compute.profile = profile
    defer { compute.profile = nil }
    try body()
    return profile.entries
  }
}

extension NetworkDescription {
  /// The bytes that weights take at most while they are read: all of them padded to vectors, and the
  /// largest one twice more before it is packed. Valid only after `validate`.
  var weightBytes: Int {
    let counts = stateDictionary().map { $0.shape.reduce(1, *) }
    return 4 * (counts.reduce(0) { $0 + $1 + 1024 } + 2 * (counts.max() ?? 0))
  }

  /// The bytes of activations that a network of this description reserves; its weights come on top.
  /// Valid only after `validate`.
  public func activationBytes(threads: Int) -> Int {
    MemoryPlan(self, threads: threads).layout.bytes
  }
}
