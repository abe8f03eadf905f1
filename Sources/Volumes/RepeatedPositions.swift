/// Attributes that tell apart the volumes of a series in which every position repeats.
private let splittingAttributes: [(name: String, value: @Sendable (ImageFrame) -> String)] = [
  ("TemporalPositionIdentifier", { $0.temporalPosition.map { "\($0)" } ?? "" }),
  ("DiffusionBValue", { $0.bValue.map { "\($0)" } ?? "" }),
  ("EchoTime", { $0.echoTime.map { "\($0)" } ?? "" }),
  ("TriggerTime", { $0.triggerTime.map { "\($0)" } ?? "" }),
  ("ImageType", { $0.imageType.joined(separator: "\\") }),
  ("ConvolutionKernel", { $0.convolutionKernel ?? "" }),
  ("AcquisitionNumber", { $0.acquisitionNumber.map { "\($0)" } ?? "" }),
  ("AcquisitionTime", { $0.acquisitionTime ?? "" }),
]

/// A series in which places repeat: several volumes where one attribute tells them apart,
/// otherwise duplicates. Held either way, since which volume to segment is not ours to guess.
func assessRepeatedPositions(_ places: SlicePlaces, rules: GeometryRules) -> SeriesAssessment {
  let most = places.repeats.max() ?? 1
  guard places.repeats.allSatisfy({ $0 == most }) else {
    let examples = places.frames.filter { $0.count > 1 }
    return SeriesAssessment(
      problems: [
        GeometryProblem(
          .duplicatePositions,
          "\(examples.count) of \(places.frames.count) positions hold more than one image: "
            + shown(examples[0]))
      ], volumes: [])
  }
  for (name, value) in splittingAttributes {
    let groups = Dictionary(grouping: places.frames.joined(), by: value)
    guard groups.count == most, groups.values.allSatisfy({ isOneVolume($0, places, rules) })
    else { continue }
    return assessVolumes(groups, splitBy: name, rules: rules)
  }
  return SeriesAssessment(
    problems: [
      GeometryProblem(
        .duplicatePositions,
        "each of \(places.frames.count) positions holds \(most) images and no attribute tells the "
          + "volumes apart: \(shown(places.frames[0]))")
    ], volumes: [])
}

/// Whether the frames take every place exactly once.
private func isOneVolume(_ frames: [ImageFrame], _ places: SlicePlaces, _ rules: GeometryRules)
  -> Bool
{
  guard frames.count == places.frames.count, let own = SlicePlaces(frames, rules: rules) else {
    return false
  }
  return own.frames.count == places.frames.count
}

private func assessVolumes(
  _ groups: [String: [ImageFrame]], splitBy name: String, rules: GeometryRules
) -> SeriesAssessment {
  let numeric = groups.keys.allSatisfy { Double($0) != nil }
  let values = groups.keys.sorted { a, b in
    numeric ? (Double(a) ?? 0) < (Double(b) ?? 0) : a < b
  }
  var problems = [
    GeometryProblem(
      .severalVolumes,
      "the series holds \(groups.count) volumes told apart by \(name): "
        + values.prefix(8).map(shown(value:)).joined(separator: ", "))
  ]
  var volumes: [SliceStack] = []
  for value in values {
    guard let frames = groups[value], let places = SlicePlaces(frames, rules: rules) else {
      continue
    }
    let (stack, found) = sliceStack(places, rules: rules)
    problems += found.filter { !problems.contains($0) }
    if var stack {
      stack.splitBy[name] = value
      volumes.append(stack)
    }
  }
  return SeriesAssessment(problems: problems, volumes: volumes)
}
