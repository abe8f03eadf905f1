import Volumes

extension ModelBundle {
  /// What is unusual about a result compared with the training labels; usually empty.
  func warnings(of labels: LabelVolume) -> [ModelWarning] {
    output.compactMap { limit in
      let name = self.labels.first { $0.value == limit.label }?.name ?? "label \(limit.label)"
      return limit.warning(labels, name: name)
    }
  }
}
