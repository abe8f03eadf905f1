import CDCMTK

extension Dataset {
  /// Parses elements in memory by DCMTK. Their structure must have been scanned before.
  init(
    parsing bytes: UnsafeRawBufferPointer, in syntax: TransferSyntax, file: String
  ) throws(DICOMError) {
    try DCMTK.prepare()
    let collector = DatasetCollector()
    var error = cdcmtk_error()
    let code = withExtendedLifetime(collector) {
      var visitor = collector.visitor()
      return cdcmtk_parse_dataset(
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, syntax.rawValue,
        &visitor, &error)
    }
    guard code == CDCMTK_OK.code, let dataset = collector.dataset else {
      throw .cannotRead(file: file, reason: "DCMTK: \(error.text)")
    }
    self = dataset
  }
}

/// Collects what DCMTK visits into a dataset.
final class DatasetCollector {
  private var levels = [Dataset()]
  private var sequences: [(tag: Tag, items: [Dataset])] = []

  /// The dataset once everything is visited.
  var dataset: Dataset? { levels.count == 1 && sequences.isEmpty ? levels[0] : nil }

  /// Callbacks into this collector, which must outlive them.
  func visitor() -> cdcmtk_visitor {
    cdcmtk_visitor(
      context: Unmanaged.passUnretained(self).toOpaque(),
      text: { context, tag, vr, bytes, count in
        let raw = UnsafeRawBufferPointer(start: bytes, count: count)
        DatasetCollector.of(context).add(tag, vr, .text(Array(raw)))
      },
      integers: { context, tag, vr, values, count in
        let buffer = UnsafeBufferPointer(start: values, count: count)
        DatasetCollector.of(context).add(tag, vr, .integers(buffer.map(Int.init)))
      },
      reals: { context, tag, vr, values, count in
        let buffer = UnsafeBufferPointer(start: values, count: count)
        DatasetCollector.of(context).add(tag, vr, .reals(Array(buffer)))
      },
      bytes: { context, tag, vr, bytes, count in
        let buffer = UnsafeBufferPointer(start: bytes, count: count)
        DatasetCollector.of(context).add(tag, vr, .bytes(Array(buffer)))
      },
      begin_sequence: { context, tag in
        DatasetCollector.of(context).sequences.append((Tag(rawValue: tag), []))
      },
      begin_item: { context in DatasetCollector.of(context).levels.append(Dataset()) },
      end_item: { context in DatasetCollector.of(context).endItem() },
      end_sequence: { context in DatasetCollector.of(context).endSequence() })
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> DatasetCollector {
    // The context is always the collector that made the visitor.
    unsafeBitCast(context, to: DatasetCollector.self)
  }

  private func add(_ tag: UInt32, _ vr: UnsafePointer<CChar>?, _ value: DataValue) {
    let letters = vr.map { String(cString: $0) } ?? ""
    levels[levels.count - 1][Tag(rawValue: tag)] = DataElement(VR(rawValue: letters) ?? .UN, value)
  }

  private func endItem() {
    guard levels.count > 1, !sequences.isEmpty, let item = levels.popLast() else { return }
    sequences[sequences.count - 1].items.append(item)
  }

  private func endSequence() {
    guard let sequence = sequences.popLast() else { return }
    levels[levels.count - 1].set(sequence.tag, sequence.items)
  }
}
