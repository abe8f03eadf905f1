import Cryptography
import DICOM
import FileSystem
import Foundation
import Terminology
import Volumes

/// The SOP classes of secondary captures (PS3.4 B.5).
public enum CaptureStorage {
  /// Multi-frame True Color Secondary Capture Image Storage.
  public static let multiFrameSOPClassUID = "1.2.840.10008.5.1.4.1.1.7.4"
  /// Secondary Capture Image Storage.
  public static let singleFrameSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
}

/// Pictures of a result for archives and viewers that cannot show segmentations: a series of secondary captures
/// (PS3.3 A.8) in addition to it.
///
/// ```swift
/// let captures = try CaptureSeries(
///   labels, stack: stack, segments: bundle.labels, origin: origin, identity: identity)
/// let object = captures.frames()
/// if try object.write(to: path) == .written { try object.prove(path) }
/// ```
public struct CaptureSeries: Sendable {
  let labels: LabelVolume
  let stack: SliceStack
  let segments: [SegmentDescription]
  let origin: ResultOrigin
  let identity: ResultIdentity
  /// Of the volume in the result, from 0: the phase of a cine series.
  let index: Int
  let volume: CaptureVolume
  let palette: CapturePalette
  private let images: CaptureFrames
  /// The image whose patient and study attributes are copied.
  private let identityFrame: ImageFrame

  /// Reads the source images.
  ///
  /// - Parameters:
  ///   - labels: on the source grid of the stack.
  ///   - stack: the source images with their files.
  ///   - segments: what each label means, with its colour.
  ///   - origin: who made the labels, and when.
  ///   - identity: what the UIDs of the result follow from.
  ///   - index: of the volume in the result, from 0.
  /// - Throws: ``SegmentationError``.
  public init(
    _ labels: LabelVolume, stack: SliceStack, segments: [SegmentDescription],
    origin: ResultOrigin, identity: ResultIdentity, index: Int = 0
  ) throws(SegmentationError) {
    guard labels.grid == stack.sourceGrid, labels.labels.count == labels.grid.voxelCount,
      stack.frames.count == labels.grid.slices, let first = stack.frames.first
    else { throw .gridsDiffer(reason: "other grid") }
    (self.labels, self.stack, self.segments) = (labels, stack, segments)
    (self.origin, self.identity, self.index) = (origin, identity, index)
    do { volume = try CaptureVolume(labels, of: stack) } catch { throw .dicom(error) }
    palette = CapturePalette(segments, of: labels)
    let parts = ["\(origin.modelName) \(origin.modelVersion)", origin.subject]
    images = CaptureFrames(
      volume, palette, title: parts.filter { !$0.isEmpty }.joined(separator: ", "),
      warnings: origin.remarks)
    let stated = try SourceImages(stack).header.text(.sopInstanceUID)
    identityFrame = stack.frames.first { $0.sopInstanceUID == stated } ?? first
  }

  /// One object with a picture of each slice from the first to the last in which something was found, and of
  /// two more on both sides.
  public func frames() -> CaptureObject {
    object(.frames(images, images.slices), number: index + 1)
  }

  /// The same pictures as objects of one picture each, for whoever does not take the former.
  public func singleFrames() -> [CaptureObject] {
    let contents = contents
    return images.slices.map { slice in
      var object = object(
        .frame(images, slice), number: 10_001 + 10_000 * index + slice, contents: contents)
      // Made from one image; patient and study are those of the whole series.
      object.stack.frames = [stack.frames[slice]]
      if stack.frames[slice].sopInstanceUID != identityFrame.sopInstanceUID {
        object.stack.frames.append(identityFrame)
      }
      return object
    }
  }

  /// The picture that shows the result at a glance.
  ///
  /// - Parameter millilitres: of each segment that was found, by name.
  public func page(millilitres: [String: Double]) -> CaptureObject {
    let parts = ["\(origin.modelName) \(origin.modelVersion)", origin.subject]
    let page = KeyPage(
      volume, palette,
      KeyPage.Content(
        title: parts.filter { !$0.isEmpty }.joined(separator: ", "), warnings: origin.remarks,
        millilitres: millilitres))
    let pixels = page.draw().rgb
    return object(
      .page(page, pixels), number: 1001 + index,
      contents: hexadecimal(SHA256.hash(data: Data(pixels))))
  }

  /// SHA-256 of what the pictures show, and of one of them: fonts and the library that draws differ from
  /// machine to machine.
  private var contents: String {
    var hash = SHA256()
    labels.labels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    for remark in origin.remarks { hash.update(data: Data("\n\(remark)".utf8)) }
    hash.update(data: Data("\n\(Canvas.version)".utf8))
    hash.update(data: Data(images.draw(images.slices.lowerBound).rgb))
    return hexadecimal(hash.finalize())
  }

  private func object(
    _ content: CaptureObject.Content, number: Int, contents: String? = nil
  ) -> CaptureObject {
    let series = DICOMUID.named("\(identity.seriesInstanceUID)/captures")
    var origin = origin
    origin.instanceNumber = number
    return CaptureObject(
      content: content, labels: labels, segments: segments, source: stack, stack: stack,
      origin: origin,
      identifiers: ResultIdentifiers(
        seriesInstanceUID: series,
        sopInstanceUID: DICOMUID.named("\(series)/\(number)/\(contents ?? self.contents)")))
  }
}

/// A secondary capture: true colour, 8 bits, uncompressed.
///
/// Burned In Annotation (0028,0301) is NO, which is about the patient's identity and the date of the images
/// (PS3.3 C.7.6.1): no picture has either.
public struct CaptureObject: ResultObject {
  enum Content: Sendable {
    /// A frame for each of some slices.
    case frames(CaptureFrames, Range<Int>)
    /// A slice by its index in the stack.
    case frame(CaptureFrames, Int)
    /// With its pixels.
    case page(KeyPage, [UInt8])
  }

  let content: Content
  let labels: LabelVolume
  let segments: [SegmentDescription]
  /// All images of the volume.
  let source: SliceStack
  /// The images that the object is of.
  var stack: SliceStack
  let origin: ResultOrigin
  public let identifiers: ResultIdentifiers

  /// Writes the object; it is never ``WriteOutcome/nothingFound``.
  ///
  /// - Throws: ``SegmentationError``.
  public func write(to path: String) throws(SegmentationError) -> WriteOutcome {
    let dataset: Dataset
    let source = try SourceImages(stack)
    do { dataset = try CaptureBuilder(self, source: source).dataset() } catch {
      throw .uncopied(error)
    }
    do { try dataset.write(to: path, pixelData: pixels) } catch { throw .dicom(error) }
    return .written
  }

  /// Proves the identity and the pictures; see ``CaptureProof``.
  ///
  /// - Throws: ``ProofError``.
  public func prove(_ path: String) throws(ProofError) {
    try CaptureProof(self, path: path).prove()
  }

  /// Writes a page as PNG too: for people, and without the patient's identity; mode 0600.
  ///
  /// - Throws: ``SegmentationError``.
  public func writePNG(to path: String) throws(SegmentationError) {
    guard case .page(let page, _) = content else { return }
    do { try page.draw().write(to: path) } catch { throw .dicom(error) }
  }

  /// Columns and rows of each picture.
  var size: (columns: Int, rows: Int) {
    switch content {
    case .frames(let images, _), .frame(let images, _): (images.columns, images.rows)
    case .page(let page, _): (page.columns, page.rows)
    }
  }

  private var pixels: StreamedPixelData {
    let (columns, rows) = size
    switch content {
    case .page(_, let bytes):
      return StreamedPixelData(count: bytes.count, parts: 1) { _ in bytes }
    case .frame(let images, let slice):
      return StreamedPixelData(count: columns * rows * 3, parts: 1) { _ in images.draw(slice).rgb }
    case .frames(let images, let slices):
      return StreamedPixelData(
        count: columns * rows * 3 * slices.count, parts: (slices.count + 7) / 8
      ) { part in
        let first = slices.lowerBound + 8 * part
        return images.draw(first..<min(first + 8, slices.upperBound))
      }
    }
  }
}

extension CaptureFrames {
  /// The pixels of some slices, drawn by several threads.
  fileprivate func draw(_ slices: Range<Int>) -> [UInt8] {
    let size = columns * rows * 3
    return [UInt8](unsafeUninitializedCapacity: size * slices.count) { bytes, initialized in
      // Each thread writes pictures of its own.
      nonisolated(unsafe) let target = bytes
      inParallel(slices.count, worthwhile: true) { share in
        for index in share {
          let pixels = draw(slices.lowerBound + index).rgb
          _ = UnsafeMutableBufferPointer(rebasing: target[index * size..<(index + 1) * size])
            .update(fromContentsOf: pixels)
        }
      }
      initialized = size * slices.count
    }
  }
}
