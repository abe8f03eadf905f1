import DICOM
import Synchronization
import Volumes

/// What a result takes from the files of its source images.
struct SourceImages {
  /// Header of the image whose patient and study attributes are copied: the first of those that
  /// state the most of them.
  let header: Dataset
  /// The plane of each slice of the stack.
  let planes: [PlaneElements]
  /// The first image that was compressed with loss, where one was: it says so, or its transfer syntax does.
  let lossyHeader: Dataset?
  /// Whether any image says that its pixels show whose they are: Burned In Annotation (0028,0301).
  let hasBurnedInAnnotation: Bool

  /// - Throws: ``SegmentationError``: ``UncopiedAttribute`` where no image states all of what
  ///   names the patient and the study that some images state.
  init(_ stack: SliceStack) throws(SegmentationError) {
    var planes: [PlaneElements] = []
    var headers: [StatedIdentity] = []
    var lossyHeader: Dataset?
    var hasBurnedInAnnotation = false
    var file: DICOMFile?
    var ahead = FilesAhead(stack.frames.map(\.file))
    for frame in stack.frames {
      do throws(DICOMError) {
        guard !frame.file.isEmpty else { throw .noFile(sopInstanceUID: frame.sopInstanceUID) }
        if file?.path != frame.file {
          let opened = try ahead.open(frame.file)
          let header = StatedIdentity(opened.dataset)
          if !headers.contains(where: { $0.tags == header.tags }) { headers.append(header) }
          if opened.dataset.text(.lossyImageCompression) == "01" || opened.transferSyntax.isLossy {
            lossyHeader = lossyHeader ?? opened.dataset
          }
          if opened.dataset.text(.burnedInAnnotation) == "YES" { hasBurnedInAnnotation = true }
          file = opened
        }
        guard let file else { continue }
        guard file.dataset.text(.sopInstanceUID) == frame.sopInstanceUID else {
          throw .invalidAttribute(
            file: file.path, tag: .sopInstanceUID, value: file.dataset.text(.sopInstanceUID) ?? "")
        }
        let plane = try file.planeElements(frameNumber: frame.frameNumber)
        planes.append(frame.mosaicTile == nil ? plane : plane.moved(to: frame.imagePosition))
      } catch { throw .dicom(error) }
    }
    header = try Self.mostStated(headers).dataset
    self.planes = planes
    self.lossyHeader = lossyHeader
    self.hasBurnedInAnnotation = hasBurnedInAnnotation
  }

  private static func mostStated(
    _ headers: [StatedIdentity]
  ) throws(SegmentationError) -> StatedIdentity {
    guard let most = headers.map(\.tags.count).max(),
      let chosen = headers.first(where: { $0.tags.count == most })
    else { throw .dicom(.noFile(sopInstanceUID: "")) }
    for header in headers {
      guard let tag = header.tags.subtracting(chosen.tags).min() else { continue }
      throw .uncopied(
        UncopiedAttribute(
          tag: tag, sopInstanceUID: header.dataset.text(.sopInstanceUID) ?? "",
          reason: "no image of the series states all that names the patient and the study"))
    }
    return chosen
  }
}

/// Files that are opened in order, and read a few at a time by several threads.
private struct FilesAhead {
  /// How many headers are in memory.
  private static let count = 8

  private var paths: ArraySlice<String> = []
  private var read: ArraySlice<(path: String, file: Result<DICOMFile, DICOMError>)> = []

  /// - Parameter paths: one for each image, of which several in a row may be in one file.
  init(_ paths: [String]) {
    for path in paths where !path.isEmpty && path != self.paths.last { self.paths.append(path) }
  }

  mutating func open(_ path: String) throws(DICOMError) -> DICOMFile {
    if read.isEmpty { readNext() }
    guard let next = read.first, next.path == path else { return try DICOMFile(path: path) }
    read = read.dropFirst()
    return try next.file.get()
  }

  private mutating func readNext() {
    let due = Array(paths.prefix(Self.count))
    paths = paths.dropFirst(Self.count)
    let files = Mutex<[Int: Result<DICOMFile, DICOMError>]>([:])
    inParallel(due.count, worthwhile: due.count > 1) { share in
      for index in share {
        let file = Result { () throws(DICOMError) in try DICOMFile(path: due[index]) }
        files.withLock { $0[index] = file }
      }
    }
    let opened = files.withLock { $0 }
    read = due.indices.compactMap { index in opened[index].map { (due[index], $0) } }[...]
  }
}

/// A header, and which attributes that name patient and study have a value in it.
private struct StatedIdentity {
  let dataset: Dataset
  let tags: Set<Tag>

  init(_ dataset: Dataset) {
    self.dataset = dataset
    tags = Set(
      (CopiedAttributes.required.map(\.tag) + [.issuerOfPatientID])
        .filter { dataset[$0]?.isEmpty == false })
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
