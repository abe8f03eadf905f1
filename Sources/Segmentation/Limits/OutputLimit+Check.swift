import Volumes

extension OutputLimit {
  /// Compares a result with the limits.
  ///
  /// - Parameters:
  ///   - labels: the result.
  ///   - part: ``largestPart(in:)`` of the result before smaller parts were removed.
  ///   - name: of the label.
  /// - Returns: what is unusual.
  /// - Throws: ``InputRefusal/result(name:millilitres:largestPart:accepted:)``
  func check(
    _ labels: LabelVolume, largestPart part: Double?, name: String
  ) throws(InputRefusal) -> ModelWarning? {
    let count = labels.labels.count { $0 == label }
    let volume = Double(count) * labels.grid.spacing.reduce(1, *) / 1000
    if let accepted {
      guard volume >= accepted.millilitres[0], volume <= accepted.millilitres[1],
        part ?? 0 >= accepted.largestPart
      else {
        throw .result(
          name: name, millilitres: volume, largestPart: part ?? 0, accepted: accepted)
      }
    }
    guard count > 0, let part else { return millilitres[0] > 0 ? .notFound(name: name) : nil }
    if volume < millilitres[0] || volume > millilitres[1] {
      return .volume(name: name, millilitres: volume, usual: millilitres)
    }
    if part < largestPart {
      return .scattered(name: name, largestPart: part, usual: largestPart)
    }
    if let parts {
      let found = partCount(in: labels)
      if found > parts { return .manyParts(name: name, found: found, usual: parts) }
    }
    if let compactness, let found = self.compactness(in: labels), found < compactness {
      return .ragged(name: name, compactness: found, usual: compactness)
    }
    return nil
  }
}
