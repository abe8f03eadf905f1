import DICOM
import Volumes

/// What a segmentation takes from the files of its source images.
struct SourceImages {
  /// Header of the first image, whose patient and study attributes are copied.
  let header: Dataset
  /// Its file.
  let path: String
  /// The plane of each slice of the stack.
  let planes: [PlaneElements]

  init(_ stack: SliceStack, fileOf: (String) -> String?) throws(DICOMError) {
    var planes: [PlaneElements] = []
    var first: DICOMFile?
    var file: DICOMFile?
    for frame in stack.frames {
      guard let path = fileOf(frame.sopInstanceUID) else {
        throw .noFile(sopInstanceUID: frame.sopInstanceUID)
      }
      if file?.path != path { file = try DICOMFile(path: path) }
      guard let file else { continue }
      guard file.dataset.text(.sopInstanceUID) == frame.sopInstanceUID else {
        throw .invalidAttribute(
          file: path, tag: .sopInstanceUID, value: file.dataset.text(.sopInstanceUID) ?? "")
      }
      if first == nil { first = file }
      let plane = try file.planeElements(frameNumber: frame.frameNumber)
      planes.append(frame.mosaicTile == nil ? plane : plane.moved(to: frame.imagePosition))
    }
    guard let first else { throw .noFile(sopInstanceUID: "") }
    header = first.dataset
    path = first.path
    self.planes = planes
  }
}

extension PlaneElements {
  /// The same plane elsewhere: what a mosaic's file says holds for the mosaic, not for its tiles.
  fileprivate func moved(to position: [Double]) -> PlaneElements {
    var plane = self
    let text = position.map { PlainText.decimal($0) }.joined(separator: "\\")
    plane.imagePosition = DataElement(.DS, .text(Array(text.utf8)))
    return plane
  }
}
