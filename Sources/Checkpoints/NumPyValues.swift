/// Numbers that numpy pickled: scalars and arrays of plain numeric types.
struct NumPyValues {
  let document: PickleDocument
  /// The pickle, into which the document's byte ranges point.
  let bytes: [UInt8]

  /// The most elements of an array that are read; plans hold a handful.
  static let countLimit = 1 << 20

  /// A number's kind in a numpy data type, such as `f8`.
  private struct Element {
    var kind: Character
    var width: Int
    var isBigEndian: Bool
  }

  /// A single number: Python's, or a numpy scalar.
  func number(_ index: PickleDocument.Index) -> Double? {
    switch document[index] {
    case .boolean(let value): return value ? 1 : 0
    case .integer(let value): return Double(value)
    case .float(let value): return value
    case .call(.scalar, let arguments, _):
      guard let fields = document.items(arguments), fields.count == 2,
        let element = element(fields[0]), let data = data(fields[1], limit: element.width),
        data.count == element.width
      else { return nil }
      return decode(data[...], element)
    default: return nil
    }
  }

  func flag(_ index: PickleDocument.Index) -> Bool? { number(index).map { $0 != 0 } }

  /// The numbers of a list, tuple or array, row by row.
  func numbers(_ index: PickleDocument.Index) -> [Double]? {
    if let items = document.items(index) {
      guard items.count <= Self.countLimit else { return nil }
      var values: [Double] = []
      for item in items {
        guard let value = number(item) else { return nil }
        values.append(value)
      }
      return values
    }
    guard case .call(let global, let arguments, let state) = document[index],
      let fields = document.items(global == .arrayFromBuffer ? arguments : state ?? arguments)
    else { return nil }
    switch global {
    case .reconstructArray:
      // The state: version, shape, type, whether column by column, elements.
      guard state != nil, fields.count == 5, case .boolean(let isColumnMajor) = document[fields[3]],
        let shape = document.integers(fields[1])
      else { return nil }
      return array(fields[4], type: fields[2], shape: shape, isColumnMajor: isColumnMajor)
    case .arrayFromBuffer:
      guard let shape = document.integers(fields[2]) else { return nil }
      return array(
        fields[0], type: fields[1], shape: shape,
        isColumnMajor: document.string(fields[3]) == "F")
    default: return nil
    }
  }

  private func array(
    _ data: PickleDocument.Index, type: PickleDocument.Index, shape: [Int], isColumnMajor: Bool
  ) -> [Double]? {
    var count = 1
    for extent in shape {
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: extent)
      guard !isTooLarge, (0...Self.countLimit).contains(product) else { return nil }
      count = product
    }
    // Of one axis, both orders are the same.
    guard !isColumnMajor || shape.count < 2, let element = element(type),
      let data = self.data(data, limit: count * element.width),
      data.count == count * element.width
    else { return nil }
    return stride(from: 0, to: data.count, by: element.width).map {
      decode(data[$0..<$0 + element.width], element)
    }
  }

  private func element(_ index: PickleDocument.Index) -> Element? {
    guard case .call(.dataType, let arguments, let state) = document[index],
      let fields = document.items(arguments), let code = fields.first.flatMap(document.string),
      let kind = code.first, let width = Int(code.dropFirst()),
      ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"].contains(code)
    else { return nil }
    let order = state.flatMap(document.items).flatMap {
      $0.count > 1 ? document.string($0[1]) : nil
    }
    return Element(kind: kind, width: width, isBigEndian: order == ">")
  }

  /// Bytes, or text of Latin-1 in their place as protocol 2 writes them.
  private func data(_ index: PickleDocument.Index, limit: Int) -> [UInt8]? {
    switch document[index] {
    case .bytes(let range):
      return range.count <= limit ? Array(bytes[range]) : nil
    case .call(.encode, let arguments, _):
      guard let fields = document.items(arguments), let text = document.string(fields[0]),
        document.string(fields[1]) == "latin1", text.utf8.count <= 2 * limit
      else { return nil }
      var data: [UInt8] = []
      for scalar in text.unicodeScalars {
        guard let byte = UInt8(exactly: scalar.value) else { return nil }
        data.append(byte)
      }
      return data
    default: return nil
    }
  }

  private func decode(_ data: ArraySlice<UInt8>, _ element: Element) -> Double {
    var bits: UInt64 = 0
    for byte in element.isBigEndian ? Array(data) : data.reversed() {
      bits = bits << 8 | UInt64(byte)
    }
    let unused = 64 - 8 * element.width
    switch element.kind {
    case "f" where element.width == 4:
      return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case "f": return Double(bitPattern: bits)
    case "i": return Double(Int64(bitPattern: bits << unused) >> unused)
    default: return Double(bits)
    }
  }
}
