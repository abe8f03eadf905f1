import Volumes

extension DICOMFile {
  /// The slices of a Siemens mosaic: square tiles, row by row, each an image with a place of its
  /// own. nil for every other image, and for a mosaic whose header does not say how to tile it.
  ///
  /// Image Position (Patient) of a mosaic is the corner that the first slice would have were it as
  /// large as the mosaic about the same centre; slices follow each other along the slice normal of
  /// the vendor's header, which may point against row × column.
  func mosaicTiles(_ mosaic: ImageFrame) -> [ImageFrame]? {
    guard mosaic.imageType.contains(where: { $0.uppercased() == "MOSAIC" }) else { return nil }
    let header = CSAHeader(
      dataset.tag(.siemensImageHeader).flatMap { dataset.bytes($0) } ?? [])
    let count =
      header.numbers("NumberOfImagesInMosaic").first ?? dataset.reals(.siemensMosaicCount).first
    let step = dataset.real(.spacingBetweenSlices) ?? header.numbers("SpacingBetweenSlices").first
    guard let count, count >= 1, count <= 10_000, let step, step > 0,
      mosaic.imagePosition.count == 3, mosaic.imageOrientation.count == 6,
      mosaic.pixelSpacing.count == 2
    else { return nil }
    let perSide = Int(count.squareRoot().rounded(.up))
    guard mosaic.rows > 0, mosaic.columns > 0, mosaic.rows % perSide == 0,
      mosaic.columns % perSide == 0
    else { return nil }
    let (rows, columns) = (mosaic.rows / perSide, mosaic.columns / perSide)
    let row = SIMD3(mosaic.imageOrientation[0..<3])
    let column = SIMD3(mosaic.imageOrientation[3..<6])
    let vendorNormal = header.numbers("SliceNormalVector")
    guard vendorNormal.count == 3 || vendorNormal.isEmpty else { return nil }
    let product = SIMD3(
      row.y * column.z - row.z * column.y, row.z * column.x - row.x * column.z,
      row.x * column.y - row.y * column.x)
    let normal = vendorNormal.isEmpty ? product : SIMD3(vendorNormal)
    // Slices of a mosaic are not sheared; a normal that says so is not understood.
    guard abs((normal * product).sum()) > 0.999 else { return nil }
    let sign = (normal * product).sum() < 0 ? -1.0 : 1.0
    let corner =
      SIMD3(mosaic.imagePosition[...])
      + row * (mosaic.pixelSpacing[1] * Double(mosaic.columns - columns) / 2)
      + column * (mosaic.pixelSpacing[0] * Double(mosaic.rows - rows) / 2)
    return (0..<Int(count)).map { index in
      var tile = mosaic
      tile.rows = rows
      tile.columns = columns
      let place = corner + product * (sign * step * Double(index))
      tile.imagePosition = [place.x, place.y, place.z]
      tile.mosaicTile = MosaicTile(
        index: index, column: index % perSide * columns, row: index / perSide * rows,
        mosaicColumns: mosaic.columns, mosaicRows: mosaic.rows)
      return tile
    }
  }
}

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
