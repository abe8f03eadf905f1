import Volumes
import Wording

/// Images that were received again with other content, as after a correction in an archive: the
/// version received last counts, and is compared with those that it replaces.
extension SeriesAssessor {
  /// Holds a series whose images came again with other pixels or at another place.
  mutating func compare(_ frames: [ImageFrame], withReplaced replaced: [ImageFrame]) {
    let newest = Dictionary(
      frames.map { (FrameIdentity($0), $0) }, uniquingKeysWith: { first, _ in first })
    var corrected: [ImageFrame] = []
    var different: [ImageFrame] = []
    for frame in inOrder(replaced) {
      if let newer = newest[FrameIdentity(frame)], isCopy(newer, of: frame) {
        if corrected.last?.sopInstanceUID != frame.sopInstanceUID { corrected.append(frame) }
      } else {
        different.append(frame)
      }
    }
    if !corrected.isEmpty {
      repairs.append(
        GeometryFinding(
          .duplicateInstance,
          "\(counted(corrected.count, "image")) received again with another header and the same "
            + "pixels (\(digest(corrected[0]))): the header received last is used: "
            + formatted(corrected)))
    }
    if !different.isEmpty {
      problems.append(
        GeometryFinding(
          .duplicateInstance,
          "SOP Instance UID (0008,0018) was received more than once with pixels or a place that "
            + "differ or cannot be compared: \(formatted(different))"))
    }
  }

  /// Holds a series of which only some images came again with a corrected header: no result could
  /// say truly to whom it belongs. What the others lack then is no gap of the series.
  ///
  /// - Returns: whether the correction is complete.
  mutating func checkCorrection(_ frames: [ImageFrame], of replaced: [ImageFrame]) -> Bool {
    let newest = Dictionary(
      frames.map { ($0.sopInstanceUID, $0) }, uniquingKeysWith: { first, _ in first })
    var isComplete = true
    for attribute in Self.attributes {
      let corrected = replaced.contains { earlier in
        newest[earlier.sopInstanceUID].map { attribute.value($0) != attribute.value(earlier) }
          ?? false
      }
      guard corrected else { continue }
      let groups = grouped(frames, by: attribute.value).sorted { $0.values.count > $1.values.count }
      guard groups.count > 1 else { continue }
      isComplete = false
      problems.append(
        GeometryFinding(
          .incompleteCorrection,
          "only some images were received again with a corrected header, send the whole series "
            + "again: " + disagreement(attribute, groups.map { ($0.key, $0.values) })))
    }
    return isComplete
  }

  /// The findings must not depend on the order of arrival.
  func inOrder(_ frames: [ImageFrame]) -> [ImageFrame] {
    frames.sorted {
      ($0.sopInstanceUID, $0.frameNumber ?? 0, $0.mosaicTile?.index ?? 0, $0.file)
        < ($1.sopInstanceUID, $1.frameNumber ?? 0, $1.mosaicTile?.index ?? 0, $1.file)
    }
  }
}
