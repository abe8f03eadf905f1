import Volumes

extension ModelBundle {
  /// Of the label of each output limit the part that is in its largest connected part, to be
  /// measured before postprocessing removes the others.
  func largestParts(of labels: LabelVolume) -> [Double?] {
    output.map { $0.largestPart(in: labels) }
  }

  /// What is unusual about a result compared with the training labels; usually empty.
  ///
  /// - Throws: ``InputRefusal`` where the result is not that of the model's anatomy.
  func warnings(
    of labels: LabelVolume, largestParts: [Double?]
  ) throws(InputRefusal) -> [ModelWarning] {
    var warnings: [ModelWarning] = []
    for (limit, part) in zip(output, largestParts) {
      let name = self.labels.first { $0.value == limit.label }?.name ?? "label \(limit.label)"
      if let warning = try limit.check(labels, largestPart: part, name: name) {
        warnings.append(warning)
      }
    }
    let names = Dictionary(
      self.labels.map { ($0.value, $0.name) }, uniquingKeysWith: { first, _ in first })
    guard !relations.isEmpty else { return warnings }
    let places = LabelPlaces(labels)
    return warnings + relations.compactMap { $0.check(labels, places, names: names) }
  }
}
