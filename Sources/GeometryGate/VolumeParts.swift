import Volumes

extension SeriesAssessor {
  /// The volumes among frames of one orientation, size and spacing.
  ///
  /// Where positions repeat, an attribute must tell the images apart: each of its values then
  /// covers every position equally often, or is a regular volume by itself. Copies of one image
  /// are dropped. What nothing tells apart is a problem of the series.
  mutating func parts(of frames: [ImageFrame]) -> [VolumePart] {
    guard let places = SlicePlaces(frames, rules: rules) else {
      problems.append(
        GeometryFinding(
          .invalidGeometry, "Image Orientation (Patient) gives no normal: \(formatted(frames))"))
      excluded += frames
      return []
    }
    guard places.frames.count > 1 else {
      problems.append(
        GeometryFinding(
          .tooFewSlices,
          "all \(frames.count) images are at one position, at least "
            + "\(max(2, rules.minimumSlices)) make a volume: \(formatted(frames))"))
      excluded += frames
      return []
    }
    var resolver = RepeatResolver(
      rules: rules, isStackOfSeries: isStackOfSeries, isCopy: isCopy)
    if let parts = resolver.parts(of: places) {
      reportCopies(resolver.copies)
      return parts
    }
    excluded += frames
    problems.append(unresolved(places, unsteady: resolver.unsteady.sorted()))
    return []
  }

  private mutating func reportCopies(_ copies: [ImageFrame]) {
    guard let first = copies.first else { return }
    excluded += copies
    repairs.append(
      GeometryFinding(
        .duplicatePositions,
        "images whose position another image holds with the same pixels (\(digest(first))) were "
          + "dropped: \(formatted(copies))"))
  }

  private func unresolved(_ places: SlicePlaces, unsteady: [String]) -> GeometryFinding {
    let most = places.repeats.max() ?? 1
    guard places.repeats.allSatisfy({ $0 == most }) else {
      let examples = places.frames.filter { $0.count > 1 }
      return GeometryFinding(
        .duplicatePositions,
        "\(examples.count) of \(places.frames.count) positions hold more than one image and "
          + "nothing tells volumes apart: \(formatted(examples[0]))")
    }
    return GeometryFinding(
      .duplicatePositions,
      "each of \(places.frames.count) positions holds \(most) images and no attribute tells the "
        + "volumes apart: \(formatted(places.frames[0]))" + noProof(unsteady))
  }

  /// Why attributes that differ do not tell volumes apart.
  private func noProof(_ attributes: [String]) -> String {
    guard !attributes.isEmpty else { return "" }
    return "; the order of \(attributes.joined(separator: ", ")) proves nothing: it runs neither "
      + "volume after volume nor position after position"
  }
}
