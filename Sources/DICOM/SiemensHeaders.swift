import Foundation

/// The vendor's header of Siemens images (CSA, "SV10" or older): named lists of texts.
///
/// Its layout is not published by the vendor; this follows the description of the NiBabel project
/// (https://nipy.org/nibabel/dicom/siemens_csa.html). What does not fit is left out.
struct CSAHeader {
  private var values: [String: [String]] = [:]

  init(_ bytes: [UInt8]) {
    let isVersion2 = bytes.starts(with: Array("SV10".utf8))
    var at = isVersion2 ? 8 : 0
    func integer() -> Int? {
      guard at + 4 <= bytes.count else { return nil }
      defer { at += 4 }
      return Int(littleEndian(bytes[at..<at + 4]) as Int32)
    }
    func text(_ length: Int) -> String? {
      guard length >= 0, at + length <= bytes.count else { return nil }
      defer { at += length }
      return String(decoding: bytes[at..<at + length].prefix { $0 != 0 }, as: UTF8.self)
    }
    guard let count = integer(), (1...1024).contains(count), integer() != nil else { return }
    var firstItems: Int?
    for _ in 0..<count {
      guard let name = text(64), integer() != nil, text(4) != nil, integer() != nil,
        let items = integer(), (0...10_000).contains(items), integer() != nil
      else { return }
      if firstItems == nil { firstItems = items }
      var found: [String] = []
      for _ in 0..<items {
        guard let first = integer(), let second = integer(), integer() != nil, integer() != nil
        else { return }
        let length = isVersion2 ? second : first - (firstItems ?? 0)
        guard length >= 0, let value = text(length) else { return }
        at += (4 - length % 4) % 4
        let isPadding = { (c: Character) in c == " " }
        let kept = String(value.drop(while: isPadding).reversed().drop(while: isPadding).reversed())
        if !kept.isEmpty { found.append(kept) }
      }
      values[name] = found
    }
  }

  /// The values of an entry as numbers; nothing where it is absent or one is none.
  func numbers(_ name: String) -> [Double] {
    let texts = values[name] ?? []
    let numbers = texts.compactMap { Double($0) }
    return numbers.count == texts.count && numbers.allSatisfy(\.isFinite) ? numbers : []
  }
}

/// The centres of the slices in the text of a Siemens protocol: lines such as
/// `sSliceArray.asSlice[3].sPosition.dTra = 12.5`. What is 0 is left out there.
struct SliceProtocol {
  /// In mm, by slice number; empty where the text names no slices.
  var positions: [SIMD3<Double>] = []

  /// - Parameter bytes: a vendor's header with the text anywhere in it.
  init(_ bytes: [UInt8]) {
    let data = Data(bytes)
    let key = Data("sSliceArray.".utf8)
    var count = 0
    var found: [Int: SIMD3<Double>] = [:]
    var start = data.startIndex
    while let match = data.range(of: key, in: start..<data.endIndex) {
      let end = data[match.upperBound...].prefix(200).firstIndex { $0 == 10 || $0 == 13 }
      start = end ?? match.upperBound
      guard let end else { continue }
      let line = String(decoding: data[match.upperBound..<end], as: UTF8.self)
      let parts = line.split(separator: "=", maxSplits: 1)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2 else { continue }
      if parts[0] == "lSize" { count = Int(parts[1]) ?? 0 }
      guard let (slice, axis) = Self.place(parts[0]), let value = Double(parts[1]), value.isFinite
      else { continue }
      found[slice, default: .zero][axis] = value
    }
    guard (1...10_000).contains(count), found.keys.allSatisfy({ $0 < count }) else { return }
    positions = (0..<count).map { found[$0] ?? .zero }
  }

  /// Slice number and axis (sagittal x, coronal y, transverse z) of `asSlice[3].sPosition.dTra`.
  private static func place(_ name: String) -> (slice: Int, axis: Int)? {
    let parts = name.split(separator: ".")
    guard parts.count == 3, parts[1] == "sPosition", parts[0].hasPrefix("asSlice["),
      parts[0].hasSuffix("]"), let slice = Int(parts[0].dropFirst(8).dropLast()), slice >= 0,
      let axis = ["dSag", "dCor", "dTra"].firstIndex(of: parts[2])
    else { return nil }
    return (slice, axis)
  }
}
