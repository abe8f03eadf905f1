/// A vendor's private attribute, found by its creator (PS3.5 7.8.1): the block in which it is may
/// be another one in each file.
struct PrivateAttribute {
  var group: UInt16
  var creator: String
  /// The lower byte of the element number.
  var element: UInt8
  /// What the vendor stores, where a file that does not say so could be read in two ways.
  var isUnsignedShort = false

  static let siemensBValue = PrivateAttribute(
    group: 0x0019, creator: "SIEMENS MR HEADER", element: 0x0C)
  static let siemensGradientDirection = PrivateAttribute(
    group: 0x0019, creator: "SIEMENS MR HEADER", element: 0x0E)
  static let siemensMosaicCount = PrivateAttribute(
    group: 0x0019, creator: "SIEMENS MR HEADER", element: 0x0A, isUnsignedShort: true)
  /// One time for each slice of a mosaic.
  static let siemensMosaicTimes = PrivateAttribute(
    group: 0x0019, creator: "SIEMENS MR HEADER", element: 0x29)
  static let siemensImageHeader = PrivateAttribute(
    group: 0x0029, creator: "SIEMENS CSA HEADER", element: 0x10)
  static let siemensSeriesHeader = PrivateAttribute(
    group: 0x0029, creator: "SIEMENS CSA HEADER", element: 0x20)
  // Numaris X keeps them at the top or in a sequence of its own.
  static let siemensXMosaicCount = PrivateAttribute(
    group: 0x0021, creator: "SIEMENS MR SDI 02", element: 0x01, isUnsignedShort: true)
  static let siemensXSliceNormal = PrivateAttribute(
    group: 0x0021, creator: "SIEMENS MR SDI 02", element: 0x02)
  static let siemensImageSequence = PrivateAttribute(
    group: 0x0021, creator: "SIEMENS MR SDI 02", element: 0xFE)
  static let siemensXProtocol = PrivateAttribute(
    group: 0x0021, creator: "SIEMENS MR SDS 01", element: 0x19)
  static let geBValue = PrivateAttribute(group: 0x0043, creator: "GEMS_PARM_01", element: 0x39)
  /// 0 magnitude, 1 phase, 2 real, 3 imaginary.
  static let geComplexComponent = PrivateAttribute(
    group: 0x0043, creator: "GEMS_PARM_01", element: 0x2F)
  static let geGradientDirection = [0xBB, 0xBC, 0xBD].map {
    PrivateAttribute(group: 0x0019, creator: "GEMS_ACQU_01", element: $0)
  }
  static let philipsBValue = PrivateAttribute(
    group: 0x2001, creator: "Philips Imaging DD 001", element: 0x03)
  static let philipsPhase = PrivateAttribute(
    group: 0x2001, creator: "Philips Imaging DD 001", element: 0x08)
  static let philipsGradientDirection = [0xB0, 0xB1, 0xB2].map {
    PrivateAttribute(group: 0x2005, creator: "Philips MR Imaging DD 001", element: $0)
  }
  static let uihBValue = PrivateAttribute(
    group: 0x0065, creator: "Image Private Header", element: 0x09)
  static let uihSliceCount = PrivateAttribute(
    group: 0x0065, creator: "Image Private Header", element: 0x50)
  static let uihSlices = PrivateAttribute(
    group: 0x0065, creator: "Image Private Header", element: 0x51)
  static let uihGradientDirection = PrivateAttribute(
    group: 0x0065, creator: "Image Private Header", element: 0x37)
}

extension Dataset {
  /// The attribute's tag in this dataset; nil where its creator reserved no block.
  func tag(_ attribute: PrivateAttribute) -> Tag? {
    for block in UInt16(0x10)...0xFF {
      let text = text(Tag(attribute.group, block)) ?? ""
      guard text.caseInsensitiveEquals(attribute.creator) else { continue }
      return Tag(attribute.group, block << 8 | UInt16(attribute.element))
    }
    return nil
  }

  /// Numbers of a private attribute, also where the file does not say of what kind they are.
  func reals(_ attribute: PrivateAttribute) -> [Double] {
    guard let tag = tag(attribute) else { return [] }
    if attribute.isUnsignedShort, let bytes = bytes(tag), bytes.count == 2 {
      return [Double(littleEndian(bytes) as UInt16)]
    }
    let values = reals(tag)
    guard values.isEmpty, let bytes = bytes(tag) else { return values }
    if let numbers = numbersInText(bytes) { return finite(numbers) }
    // Implicit VR and unknown to the dictionary: FL or FD by length, as both vendors store them.
    switch bytes.count {
    case 4: return finite([Double(Float(bitPattern: littleEndian(bytes)))])
    case 8, 24:
      return finite(
        stride(from: 0, to: bytes.count, by: 8).map {
          Double(bitPattern: littleEndian(Array(bytes[$0..<$0 + 8])))
        })
    default: return []
    }
  }

  /// Numbers that are text whatever the VR: Siemens keeps a b-value as IS, which leaves some archives
  /// as OB. No number in binary that a vendor stores here consists of digits.
  private func numbersInText(_ bytes: [UInt8]) -> [Double]? {
    let isNumeric = { (byte: UInt8) in
      (0x30...0x39).contains(byte) || [0, 0x20, 0x2B, 0x2D, 0x2E, 0x45, 0x5C, 0x65].contains(byte)
    }
    guard bytes.allSatisfy(isNumeric), bytes.contains(where: { (0x30...0x39).contains($0) }) else {
      return nil
    }
    var text = Dataset()
    text.set(.codeValue, .DS, String(decoding: bytes, as: UTF8.self))
    let numbers = text.reals(.codeValue)
    return numbers.isEmpty ? nil : numbers
  }

  private func finite(_ values: [Double]) -> [Double] {
    values.allSatisfy { $0.isFinite && abs($0) < 1e9 } ? values : []
  }
}

func littleEndian<Number: FixedWidthInteger>(_ bytes: some Sequence<UInt8>) -> Number {
  bytes.enumerated().reduce(0) { $0 | Number(truncatingIfNeeded: $1.element) << ($1.offset * 8) }
}

extension String {
  fileprivate func caseInsensitiveEquals(_ other: String) -> Bool {
    uppercased() == other.uppercased()
  }
}
