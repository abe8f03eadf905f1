import Volumes

/// The network's logits of one patch at a time, in each of its mirrorings.
struct PatchPrediction {
  private let window: SlidingWindow
  private var input: [Float]
  private var logits: [Float]
  /// The values of the channels of a patch that was constant, and its logits. The network gives the
  /// same answer for the same patch, and air is one value once it is clipped.
  private var constant: (values: [Float], logits: [Float])?

  init(_ window: SlidingWindow) {
    self.window = window
    let size = window.patch.reduce(1, *)
    input = [Float](repeating: 0, count: window.channels * size)
    logits = [Float](repeating: 0, count: window.classes * size)
  }

  static func floatCount(_ window: SlidingWindow) -> Int {
    window.patch.reduce(1, *) * (window.channels + 2 * window.classes)
  }

  /// - Parameters:
  ///   - image: normalised channels, order C, z, y, x.
  ///   - shape: z, y, x of the image.
  ///   - place: of the patch's first voxel in the image; beyond it are zeros.
  ///   - first: index of the first mirroring that is wanted.
  ///   - forward: runs the network on a patch.
  ///   - found: called for each mirroring with the logits (class, z, y, x) of the mirrored patch.
  ///   - passDone: called with the index of the next mirroring, where one is still to be computed.
  mutating func predict(
    _ image: [Float], shape: [Int], at place: [Int], from first: Int = 0,
    forward: SlidingWindow.Forward,
    found: (_ logits: UnsafeBufferPointer<Float>, _ mirroring: Int) -> Void,
    passDone: (Int) throws -> Void = { _ in }
  ) throws {
    extract(image, shape: shape, at: place, mirroring: 0)
    let values = constantValues
    if let values, let constant, constant.values == values {
      constant.logits.withUnsafeBufferPointer { logits in
        for mirroring in window.mirrorings.dropFirst(first) { found(logits, mirroring) }
      }
      return
    }
    let mirrorings = window.mirrorings
    for (pass, mirroring) in mirrorings.enumerated().dropFirst(first) {
      // All mirrorings of a constant patch are the same.
      if pass == first || values == nil {
        if mirroring != 0 { extract(image, shape: shape, at: place, mirroring: mirroring) }
        try input.withUnsafeBufferPointer { input in
          try logits.withUnsafeMutableBufferPointer { try forward(input, $0) }
        }
      }
      logits.withUnsafeBufferPointer { found($0, mirroring) }
      if values == nil, pass + 1 < mirrorings.count { try passDone(pass + 1) }
    }
    if let values { constant = (values, logits) }
  }

  /// The value of each channel where none of them varies over the patch.
  private var constantValues: [Float]? {
    let size = input.count / window.channels
    let values = (0..<window.channels).map { input[$0 * size] }
    let isConstant = input.withUnsafeBufferPointer { input in
      values.enumerated().allSatisfy { channel, value in
        input[channel * size..<(channel + 1) * size].allSatisfy { $0 == value }
      }
    }
    return isConstant ? values : nil
  }

  /// Copies a patch, mirrored, with zeros where it reaches beyond the image.
  private mutating func extract(_ image: [Float], shape: [Int], at place: [Int], mirroring: Int) {
    let (channels, patch) = (window.channels, window.patch)
    let (depth, height, width) = (patch[0], patch[1], patch[2])
    // Where the image's columns are in a row of the patch that is not mirrored.
    let columns = max(0, -place[2])..<min(width, shape[2] - place[2])
    image.withUnsafeBufferPointer { image in
      input.withUnsafeMutableBufferPointer { input in
        for row in 0..<channels * depth * height {
          let (channel, z, y) = (row / (depth * height), row / height % depth, row % height)
          let sourceZ = place[0] + (mirroring & 4 != 0 ? depth - 1 - z : z)
          let sourceY = place[1] + (mirroring & 2 != 0 ? height - 1 - y : y)
          let target = UnsafeMutableBufferPointer(rebasing: input[row * width..<(row + 1) * width])
          let isInside = (0..<shape[0]).contains(sourceZ) && (0..<shape[1]).contains(sourceY)
          if !isInside || columns.count < width { target.update(repeating: 0) }
          guard isInside else { continue }
          let source = ((channel * shape[0] + sourceZ) * shape[1] + sourceY) * shape[2] + place[2]
          if mirroring & 1 != 0 {
            for x in columns { target[width - 1 - x] = image[source + x] }
          } else {
            for x in columns { target[x] = image[source + x] }
          }
        }
      }
    }
  }
}
