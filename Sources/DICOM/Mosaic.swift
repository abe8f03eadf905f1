import Volumes
import Wording

/// Why the slices of a mosaic cannot be told.
struct MosaicDefect: Error {
  var reason: String
}

extension DICOMFile {
  /// The slices of an image that holds several as tiles: a Siemens mosaic, or United Imaging's grid
  /// (VFRAME). nil for every other image.
  ///
  /// - Parameters:
  ///   - image: the whole image with its own place.
  ///   - groups: its functional groups, where it is the only frame of an enhanced instance.
  func tiles(
    of image: ImageFrame, in groups: FrameAttributes
  ) -> Result<[ImageFrame], MosaicDefect>? {
    let types = Set(image.imageType.map { $0.uppercased() })
    return if types.contains("MOSAIC") {
      Result { () throws(MosaicDefect) in try mosaicTiles(image, groups) }
    } else if types.contains("VFRAME"), dataset.tag(.uihSliceCount) != nil {
      Result { () throws(MosaicDefect) in try gridTiles(image) }
    } else {
      nil
    }
  }

  // MARK: Siemens

  /// Image Position (Patient) of a mosaic is the corner that the first slice would have were it as
  /// large as the mosaic about the same centre; slices follow each other along the slice normal of
  /// the vendor's header, which may point against row × column
  /// (https://nipy.org/nibabel/dicom/dicom_mosaic.html).
  private func mosaicTiles(
    _ mosaic: ImageFrame, _ groups: FrameAttributes
  ) throws(MosaicDefect) -> [ImageFrame] {
    let header = MosaicHeader(self, groups)
    guard let count = header.count, (1...10_000).contains(count) else {
      throw MosaicDefect(reason: "no header states the number of its tiles")
    }
    let perSide = Int(Double(count).squareRoot().rounded(.up))
    guard mosaic.rows > 0, mosaic.columns > 0, mosaic.rows % perSide == 0,
      mosaic.columns % perSide == 0
    else {
      throw MosaicDefect(
        reason: "\(count) tiles do not fit its \(counted(mosaic.columns, "column")) and "
          + "\(counted(mosaic.rows, "row"))")
    }
    guard let plane = Plane(mosaic) else {
      throw MosaicDefect(
        reason: "Image Position (Patient) (0020,0032), Image Orientation (Patient) (0020,0037) or "
          + "Pixel Spacing (0028,0030) is no usable value")
    }
    guard header.normal.count == 3 else {
      throw MosaicDefect(
        reason: "no header states the slice normal, so that the first tile may be either end")
    }
    let normal = SIMD3(header.normal)
    // Slices of a mosaic are not sheared; a normal that says so is not understood.
    guard abs((normal * plane.normal).sum()) > 0.999 else {
      throw MosaicDefect(reason: "the vendor's slice normal is not that of its orientation")
    }
    let sign = (normal * plane.normal).sum() < 0 ? -1.0 : 1.0
    let step = try header.step(along: plane.normal)
    let (rows, columns) = (mosaic.rows / perSide, mosaic.columns / perSide)
    let corner =
      plane.position
      + plane.row * (mosaic.pixelSpacing[1] * Double(mosaic.columns - columns) / 2)
      + plane.column * (mosaic.pixelSpacing[0] * Double(mosaic.rows - rows) / 2)
    return (0..<count).map { index in
      let place = corner + plane.normal * (sign * step * Double(index))
      return mosaic.tile(
        index, perRow: perSide, rows: rows, columns: columns,
        position: [place.x, place.y, place.z])
    }
  }

  // MARK: United Imaging

  /// As many columns of tiles as the root of their number, rounded up, and as many rows as it takes;
  /// each slice has an item with its position in the vendor's sequence
  /// (https://github.com/rordenlab/dcm2niix/tree/master/UIH).
  private func gridTiles(_ grid: ImageFrame) throws(MosaicDefect) -> [ImageFrame] {
    guard let stated = dataset.reals(.uihSliceCount).first, stated >= 1, stated <= 10_000 else {
      throw MosaicDefect(reason: "the vendor's number of slices is no usable value")
    }
    let count = Int(stated)
    let perRow = Int(stated.squareRoot().rounded(.up))
    let perColumn = (count + perRow - 1) / perRow
    guard grid.rows > 0, grid.columns > 0, grid.rows % perColumn == 0, grid.columns % perRow == 0
    else {
      throw MosaicDefect(
        reason: "\(count) tiles do not fit its \(counted(grid.columns, "column")) and "
          + "\(counted(grid.rows, "row"))")
    }
    let items = dataset.tag(.uihSlices).map { dataset.items($0) } ?? []
    guard items.count == count else {
      throw MosaicDefect(reason: "\(items.count) of its \(count) slices are described")
    }
    return items.enumerated().map { index, item in
      grid.tile(
        index, perRow: perRow, rows: grid.rows / perColumn, columns: grid.columns / perRow,
        position: item.reals(.imagePosition))
    }
  }
}

extension ImageFrame {
  fileprivate func tile(
    _ index: Int, perRow: Int, rows: Int, columns: Int, position: [Double]
  ) -> ImageFrame {
    var tile = self
    tile.rows = rows
    tile.columns = columns
    tile.imagePosition = position
    tile.mosaicTile = MosaicTile(
      index: index, column: index % perRow * columns, row: index / perRow * rows,
      mosaicColumns: self.columns, mosaicRows: self.rows)
    return tile
  }
}

/// The place of an image: its corner, the directions of a row and a column, and their product.
private struct Plane {
  var position: SIMD3<Double>
  var row: SIMD3<Double>
  var column: SIMD3<Double>
  var normal: SIMD3<Double>

  init?(_ image: ImageFrame) {
    guard image.imagePosition.count == 3, image.imageOrientation.count == 6,
      image.pixelSpacing.count == 2
    else { return nil }
    position = SIMD3(image.imagePosition)
    row = SIMD3(image.imageOrientation[0..<3])
    column = SIMD3(image.imageOrientation[3..<6])
    normal = cross(row, column)
  }
}

/// What Siemens' headers say of a mosaic, wherever they say it: CSA headers up to Numaris 4, private
/// attributes next to them, or their own sequence in Numaris X (XA), which writes no CSA header.
private struct MosaicHeader {
  var count: Int?
  var normal: [Double]
  private let spacing: Double?
  /// The centres of the slices as planned; empty where the protocol is absent or of other slices.
  private let planned: [SIMD3<Double>]

  init(_ file: DICOMFile, _ groups: FrameAttributes) {
    let top = file.dataset
    let places = [top] + [groups.perFrame].compactMap { $0 }
    let all =
      places
      + places.flatMap { place in
        place.tag(.siemensImageSequence).map { place.items($0) } ?? []
      }
    func numbers(_ attributes: PrivateAttribute...) -> [Double] {
      attributes.lazy.flatMap { attribute in all.lazy.map { $0.reals(attribute) } }
        .first { !$0.isEmpty } ?? []
    }
    let image = CSAHeader(top.tag(.siemensImageHeader).flatMap { top.bytes($0) } ?? [])
    let times = numbers(.siemensMosaicTimes).count
    let stated =
      image.numbers("NumberOfImagesInMosaic").first
      ?? numbers(.siemensMosaicCount, .siemensXMosaicCount).first
    count = stated.flatMap { Int(exactly: $0) } ?? (times > 0 ? times : nil)
    let own = image.numbers("SliceNormalVector")
    normal = own.isEmpty ? numbers(.siemensXSliceNormal) : own
    spacing =
      top.real(.spacingBetweenSlices)
      ?? groups.real(.spacingBetweenSlices, in: .pixelMeasuresSequence)
      ?? image.numbers("SpacingBetweenSlices").first
    let protocolText =
      top.tag(.siemensSeriesHeader).flatMap { top.bytes($0) }
      ?? top.tag(.siemensXProtocol).flatMap { top.bytes($0) } ?? []
    let slices = SliceProtocol(protocolText).positions
    planned = slices.count == count ? slices : []
  }

  /// The distance between neighbouring slices in mm.
  ///
  /// - Throws: ``MosaicDefect`` where none is stated, or the header and the protocol differ.
  func step(along normal: SIMD3<Double>) throws(MosaicDefect) -> Double {
    let places = planned.map { ($0 * normal).sum() }.sorted()
    let steps = zip(places.dropFirst(), places).map { $0 - $1 }.sorted()
    let ofProtocol = steps.isEmpty ? nil : steps[steps.count / 2]
    guard let step = spacing ?? ofProtocol, step > 0, step.isFinite else {
      throw MosaicDefect(reason: "Spacing Between Slices (0018,0088) is absent or not positive")
    }
    if let ofProtocol, abs(step - ofProtocol) > max(0.01, 0.01 * step) {
      throw MosaicDefect(
        reason: "Spacing Between Slices (0018,0088) is \(step) mm, the slices of its protocol are "
          + "\(ofProtocol) mm apart")
    }
    return step
  }
}
