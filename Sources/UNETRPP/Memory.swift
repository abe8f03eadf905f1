import Tensors

/// Where every activation of a network is; nothing is allocated while it runs.
struct MemoryPlan {
  private(set) var layout = ArenaLayout()
  private let levels: [(x: Slot, halo: Slot, hidden: Slot, between: Slot)]
  private let normalised, queries, spatial, sums, small, workers, convolution: Slot
  private let a, b, c: Slot
  private let description: NetworkDescription

  /// - Parameters:
  ///   - description: sizes of the network.
  ///   - threads: each has scratch of its own.
  init(_ description: NetworkDescription, threads: Int) {
    self.description = description
    var layout = ArenaLayout()
    let grids = (0..<4).map { description.grid(ofStage: $0) }
    let patch = description.patchGrid
    let feature = description.featureSize
    // The halos stay zero, so nothing else may use their memory.
    levels = (0..<4).map { stage in
      let channels = description.dims[stage]
      let halo = HaloActivation.count(grids[stage], channels: channels)
      let isDouble = description.blocks.residualBlocks > 1
      return (
        layout.add(Activation.count(grids[stage], channels: channels)), layout.add(halo),
        layout.add(halo), layout.add(isDouble ? halo : 0)
      )
    }
    let convolutions = description.convolutionPlans.map { $0.scratch(threads: threads) }
    convolution = layout.add(convolutions.max() ?? 0)
    func most(_ count: (_ tokens: Int, _ channels: Int, _ projection: Int) -> Int) -> Int {
      description.mostOfStages(count)
    }
    workers = layout.add(threads * Self.workerScratch(description))
    // The scratch of the transformer blocks is not live together with the full resolution.
    var tokens = layout
    normalised = tokens.add(most { tokens, channels, _ in tokens * channels })
    queries = tokens.add(most { tokens, channels, _ in tokens * channels })
    spatial = tokens.add(most { tokens, channels, _ in tokens * channels })
    sums = tokens.add(
      most {
        EPABlock.Scratch.sumsCount(
          tokens: $0, channels: $1, heads: description.heads, projection: $2)
      })
    small = tokens.add(
      most {
        EPABlock.Scratch.smallCount(channels: $1, heads: description.heads, projection: $2)
      })
    a = layout.add(Activation.count(patch, channels: feature))
    // The input with its halo is in b until the first convolution is done.
    b = layout.add(
      max(
        Activation.count(patch, channels: feature),
        HaloActivation.count(patch, channels: description.inputChannels)))
    c = layout.add(Activation.count(patch, channels: feature))
    self.layout = layout.bytes > tokens.bytes ? layout : tokens
  }

  /// The floats that each worker needs for the keys of a stage, or for the patches of a convolution
  /// that shrinks the grid.
  private static func workerScratch(_ description: NetworkDescription) -> Int {
    let keys = description.mostOfStages { tokens, channels, _ in
      EPABlock.Scratch.workerCount(tokens: tokens, channels: channels)
    }
    let patches = (0..<4).map { stage in
      description.grid(ofStage: stage).width
        * (stage == 0
          ? description.stemGrid.voxels * description.inputChannels
          : 8 * description.dims[stage - 1])
    }
    return max(keys, patches.max() ?? 0)
  }

  /// The activations in an arena of this layout.
  func memory(in arena: Arena) -> Memory {
    let levels = (0..<4).map { stage in
      let grid = description.grid(ofStage: stage)
      let channels = description.dims[stage]
      let slots = self.levels[stage]
      return Level(
        x: Activation(arena[slots.x], grid, channels: channels),
        halo: HaloActivation(arena[slots.halo], grid, channels: channels),
        hidden: HaloActivation(arena[slots.hidden], grid, channels: channels),
        between: HaloActivation(arena[slots.between], grid, channels: channels))
    }
    let patch = description.patchGrid
    let feature = description.featureSize
    return Memory(
      levels: levels,
      scratch: TransformerBlock.Scratch(
        normalised: arena[normalised],
        attention: EPABlock.Scratch(
          queries: arena[queries], spatial: arena[spatial], sums: arena[sums], small: arena[small],
          workers: arena[workers]),
        convolution: arena[convolution]),
      workers: arena[workers],
      input: HaloActivation(arena[b], patch, channels: description.inputChannels),
      full: FullResolution(
        a: Activation(arena[a], patch, channels: feature),
        b: Activation(arena[b], patch, channels: feature),
        c: Activation(arena[c], patch, channels: feature), scratch: arena[convolution]))
  }
}

extension NetworkDescription {
  /// The widest need of any stage, for what the blocks use one after another.
  fileprivate func mostOfStages(
    _ count: (_ tokens: Int, _ channels: Int, _ projection: Int) -> Int
  ) -> Int {
    (0..<4).map { stage in
      let decoder = stage < 3 ? decoderProjections[2 - stage] : 0
      return count(grid(ofStage: stage).voxels, dims[stage], max(projections[stage], decoder))
    }.max() ?? 0
  }

  /// How the 3x3x3 convolutions are computed, but for the first, which is direct.
  fileprivate var convolutionPlans: [ConvolutionPlan] {
    let full = ConvolutionPlan.best(
      grid: patchGrid, inputChannels: featureSize, outputChannels: featureSize, mayBeDirect: false)
    let first = ConvolutionPlan.best(
      grid: patchGrid, inputChannels: inputChannels, outputChannels: featureSize)
    return [full, first]
      + (0..<4).map {
        ConvolutionPlan.best(
          grid: grid(ofStage: $0), inputChannels: dims[$0], outputChannels: dims[$0])
      }
  }
}

/// A network's activations.
struct Memory {
  let levels: [Level]  // stages 0...3
  let scratch: TransformerBlock.Scratch
  let workers: UnsafeMutablePointer<Float>
  let input: HaloActivation  // the patch, channels-last
  let full: FullResolution
}
