import Tensors

/// The activations of one grid of the encoder and the decoder, which share them: the decoder adds
/// to the encoder's output in place.
struct Level {
  let x: Activation
  let halo: HaloActivation
  let hidden: HaloActivation
}

/// Where every activation of a network lies; nothing is allocated while it runs.
struct MemoryPlan {
  private(set) var layout = ArenaLayout()
  private let levels: [(x: Slot, halo: Slot, hidden: Slot)]
  private let normalised, update, queries, spatial, sums, small, workers: Slot
  private let input, full, halo, hidden: Slot
  private let description: NetworkDescription

  /// - Parameter threads: each has scratch of its own.
  init(_ description: NetworkDescription, threads: Int) {
    self.description = description
    var layout = ArenaLayout()
    let grids = (0..<4).map { description.grid(ofStage: $0) }
    levels = (0..<4).map { stage in
      let channels = description.dims[stage]
      let halo = HaloActivation.count(grids[stage], channels: channels)
      return (
        layout.add(Activation.count(grids[stage], channels: channels)), layout.add(halo),
        layout.add(halo)
      )
    }
    // The widest need of any stage, for what the blocks use one after another.
    func most(_ count: (_ tokens: Int, _ channels: Int, _ projection: Int) -> Int) -> Int {
      (0..<4).map { stage in
        let decoder = stage < 3 ? description.decoderProjections[2 - stage] : 0
        return count(
          grids[stage].voxels, description.dims[stage], max(description.projections[stage], decoder)
        )
      }.max() ?? 0
    }
    normalised = layout.add(most { tokens, channels, _ in tokens * channels })
    update = layout.add(most { tokens, channels, _ in tokens * channels })
    queries = layout.add(most { tokens, channels, _ in tokens * channels })
    spatial = layout.add(most { tokens, channels, _ in tokens * channels })
    sums = layout.add(
      most {
        EPABlock.Scratch.sumsCount(
          tokens: $0, channels: $1, heads: description.heads, projection: $2)
      })
    small = layout.add(
      most {
        EPABlock.Scratch.smallCount(channels: $1, heads: description.heads, projection: $2)
      })
    let attention = most {
      EPABlock.Scratch.workerCount(tokens: $0, channels: $1, projection: $2)
    }
    let patches = (0..<4).map { stage in
      grids[stage].width
        * (stage == 0
          ? description.stemGrid.voxels * description.inputChannels
          : 8 * description.dims[stage - 1])
    }
    workers = layout.add(threads * max(attention, patches.max() ?? 0))
    let patch = description.patchGrid
    let feature = description.featureSize
    input = layout.add(HaloActivation.count(patch, channels: description.inputChannels))
    full = layout.add(Activation.count(patch, channels: feature))
    halo = layout.add(HaloActivation.count(patch, channels: feature))
    hidden = layout.add(HaloActivation.count(patch, channels: feature))
    self.layout = layout
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
        hidden: HaloActivation(arena[slots.hidden], grid, channels: channels))
    }
    let patch = description.patchGrid
    let feature = description.featureSize
    return Memory(
      levels: levels,
      scratch: TransformerBlock.Scratch(
        normalised: arena[normalised], update: arena[update],
        attention: EPABlock.Scratch(
          queries: arena[queries], spatial: arena[spatial], sums: arena[sums], small: arena[small],
          workers: arena[workers])),
      workers: arena[workers],
      input: HaloActivation(arena[input], patch, channels: description.inputChannels),
      full: Activation(arena[full], patch, channels: feature),
      halo: HaloActivation(arena[halo], patch, channels: feature),
      hidden: HaloActivation(arena[hidden], patch, channels: feature))
  }
}

/// A network's activations.
struct Memory {
  let levels: [Level]  // stages 0...3
  let scratch: TransformerBlock.Scratch
  let workers: UnsafeMutablePointer<Float>
  let input: HaloActivation  // the patch, channels-last
  let full: Activation  // full resolution
  let halo: HaloActivation  // full resolution
  let hidden: HaloActivation  // full resolution
}
