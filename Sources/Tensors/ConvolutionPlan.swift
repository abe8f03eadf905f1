import CKernels

/// How a 3x3x3 convolution of one shape is computed.
public struct ConvolutionPlan: Sendable, Equatable {
  public enum Method: Sendable, Equatable {
    /// The sum over all taps; the input needs a halo.
    case direct
    /// Minimal filtering with tiles of `tile` x `tile` outputs, strip by strip: a strip of `tiles`
    /// tiles goes through `slices` slices of depth, all of its intermediates in the cache.
    case strips(tile: Int, tiles: Int, slices: Int)
    /// The same with minimal filtering over depth too: two thirds of the products, but a third more weights, and
    /// twice the memory of the intermediates.
    case deepStrips(tile: Int, tiles: Int, slices: Int)
    /// Minimal filtering of the whole volume in three phases, the products split by frequency: for
    /// wide convolutions, whose weights are more than their data.
    case phases(tile: Int)
    /// The same with minimal filtering over depth too.
    case deepPhases(tile: Int)
  }

  public let method: Method
  let grid: Grid
  let inputChannels, outputChannels: Int

  public init(_ method: Method, grid: Grid, inputChannels: Int, outputChannels: Int) {
    self.method = method
    self.grid = grid
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
  }

  /// The method of `best`, with direct summation ruled out: it cannot normalise what it reads.
  public static func filtering(grid: Grid, inputChannels: Int, outputChannels: Int) -> Method {
    best(
      grid: grid, inputChannels: inputChannels, outputChannels: outputChannels, mayBeDirect: false
    ).method
  }

  /// The method with the least multiplications; a transformed weight counts as much as 30 of them
  /// (measured with weights that no cache holds), and so does one that is packed.
  ///
  /// - Parameters:
  ///   - grid: the volume.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - samples: volumes that are convolved one after the other with weights that are packed or
  ///     transformed once for all of them, as in training; nil for one, with weights packed long before.
  ///   - mayBeDirect: false where the input is normalised as it is read.
  public static func best(
    grid: Grid, inputChannels: Int, outputChannels: Int, samples: Int? = nil,
    mayBeDirect: Bool = true
  ) -> ConvolutionPlan {
    let costs = [2, 4].map { filteringCost(grid, tile: $0, samples: 1) }
    let tile = costs[0] < costs[1] ? 2 : 4
    let filtering = filteringCost(grid, tile: tile, samples: samples ?? 1)
    let direct = 27 * (grid.voxels * (samples ?? 1) + (samples == nil ? 0 : 30))
    // A few channels leave the transforms more work than the products save.
    let method: Method =
      mayBeDirect && (inputChannels < 8 || direct <= filtering)
      ? .direct
      // Slices of a few tiles leave the register tiles of strips half empty; a batch fills those of phases.
      : outputChannels > 64 || outputChannels > 32 && (samples ?? 1) > 1 && tiles(grid, tile) < 12
        ? samples ?? 1 > 1 && grid.depth > 1 ? .deepPhases(tile: tile) : .phases(tile: tile)
        : strips(grid, tile, narrow: outputChannels <= 16, samples: samples ?? 1)
    return ConvolutionPlan(
      method, grid: grid, inputChannels: inputChannels, outputChannels: outputChannels)
  }

  /// The multiplications of minimal filtering for each pair of channels, and its transformed weights.
  private static func filteringCost(_ grid: Grid, tile: Int, samples: Int) -> Int {
    3 * (tile + 2) * (tile + 2) * (tiles(grid, tile) * grid.depth * samples + 30)
  }

  /// Strips whose tiles fill the register tiles of 16 (narrow) or 12 rows, and at least eight blocks
  /// of work where the volume has them, sixteen of a batch: each transforms two slices more than it has.
  private static func strips(_ grid: Grid, _ tile: Int, narrow: Bool, samples: Int) -> Method {
    let all = tiles(grid, tile)
    let sizes = narrow ? [32, 48, 16, 64] : [24, 36, 16, 20, 32, 12]
    let tiles = sizes.first { $0 < all && all % $0 == 0 } ?? (all <= 40 ? all : 24)
    let strips = (all + tiles - 1) / tiles
    let wanted = ((samples > 1 ? 16 : 8) + strips * samples - 1) / (strips * samples)
    let parts = min(wanted, max(1, grid.depth / 4))
    let slices = (grid.depth + parts - 1) / parts
    guard samples > 1, grid.depth > 1 else {
      return .strips(tile: tile, tiles: tiles, slices: slices)
    }
    return .deepStrips(tile: tile, tiles: tiles, slices: (slices + 1) / 2 * 2)
  }

  private static func tiles(_ grid: Grid, _ tile: Int) -> Int {
    ((grid.height + tile - 1) / tile) * ((grid.width + tile - 1) / tile)
  }

  /// The tiles of one slice.
  func tiles(_ tile: Int) -> Int { Self.tiles(grid, tile) }

  /// Floats between two frequencies of a whole volume's transform; not a power of two, which would
  /// crowd them into few sets of the cache.
  func stride(_ tile: Int, channels: Int, samples: Int = 1) -> Int {
    samples * (isDeep ? (grid.depth + 1) / 2 * 2 : grid.depth) * tiles(tile) * channels + 16
  }

  /// Floats between two frequencies of the transformed weights, whose blocks have at most 32 outputs.
  var weightStride: Int {
    (isDeep ? 4 : 3) * inputChannels * ((outputChannels + 31) / 32 * 32) + 16
  }

  /// Whether minimal filtering is over depth too.
  var isDeep: Bool {
    switch method {
    case .deepStrips, .deepPhases: true
    case .direct, .strips, .phases: false
    }
  }

  /// The floats that a thread needs for frequencies of depth in phases.
  var depthScratch: Int { Int(depthFrequencies(Int32(inputChannels))) }

  /// Floats between two taps of a block that is packed for a batch: no multiple of a large power of two,
  /// as the same place of all taps is written at once.
  func tapStride(lanes: Int) -> Int { inputChannels * lanes + 16 }

  /// The floats of the transformed weights.
  func weights(_ tile: Int) -> Int { (tile + 2) * (tile + 2) * weightStride }

  /// Whether a batch is convolved at once, with weights in place: always, except where the halos of large
  /// grids would take memory.
  public var convolvesBatches: Bool {
    method != .direct || outputChannels > 32 && grid.voxels <= 512
  }

  /// The floats of scratch that the convolution needs.
  /// - Parameters:
  ///   - threads: that run.
  ///   - samples: of a batch that is convolved at once; nil where each is by itself.
  public func scratch(threads: Int, samples: Int? = nil) -> Int {
    switch method {
    case .direct: samples == nil ? 0 : threads * 27 * tapStride(lanes: 32)
    case .strips(let tile, let tiles, _), .deepStrips(let tile, let tiles, _):
      weights(tile) + threads * stripScratch(tile, tiles)
    case .phases(let tile), .deepPhases(let tile):
      weights(tile) + (isDeep ? threads * depthScratch : 0)
        + (tile + 2) * (tile + 2)
        * (stride(tile, channels: inputChannels, samples: samples ?? 1)
          + stride(tile, channels: outputChannels, samples: samples ?? 1))
    }
  }

  func stripScratch(_ tile: Int, _ tiles: Int) -> Int {
    Int(
      winogradScratch(
        Int32(tile), isDeep, Int64(tiles), Int32(inputChannels), Int32(outputChannels)))
  }
}
