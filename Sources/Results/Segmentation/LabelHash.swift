import Cryptography
import DICOM
import FileSystem
import Foundation

/// A hash of what segmentation objects say: which pixels of which images belong to which structure. The same for
/// the same labels, however they are divided into objects and whether empty frames are kept; UIDs of the
/// objects, dates and texts of the header are not in it.
public enum LabelHash {
  /// - Parameter paths: binary segmentations (PS3.3 A.51) of one result, in any order.
  /// - Returns: SHA-256 in lower-case hexadecimal.
  /// - Throws: ``SegmentationLabelsError``
  public static func of(_ paths: [String]) throws(SegmentationLabelsError) -> String {
    var lines: [String] = []
    for path in paths { lines += try frames(path) }
    return hexadecimal(SHA256.hash(data: Data(lines.sorted().joined(separator: "\n").utf8)))
  }

  /// A line for each frame that is not empty.
  private static func frames(_ path: String) throws(SegmentationLabelsError) -> [String] {
    let dataset: Dataset
    let pixels: [UInt8]
    do { (dataset, pixels) = try DICOMFile.withNativePixels(path: path) } catch {
      throw .unreadable(error)
    }
    let segments = try SegmentationLabels.segments(of: path)
    let frames = dataset.items(.perFrameFunctionalGroups)
    let count = (dataset.integer(.rows) ?? 0) * (dataset.integer(.columns) ?? 0)
    guard dataset.text(.segmentationType) == "BINARY", count > 0,
      pixels.count >= (count * frames.count + 7) / 8
    else {
      throw .attribute(
        file: path, tag: .pixelData, frame: nil, reason: "are not those of a binary segmentation")
    }
    var lines: [String] = []
    for (index, frame) in frames.enumerated() {
      let bits = packed(pixels, from: index * count, count: count)
      guard bits.contains(where: { $0 != 0 }) else { continue }
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      guard let segment = segments.first(where: { $0.number == number }) else {
        throw .attribute(
          file: path, tag: .referencedSegmentNumber, frame: index + 1, reason: "names no segment")
      }
      let source = frame.items(.derivationImageSequence).first?.items(.sourceImageSequence).first
      let place = frame.items(.planePositionSequence).first?.reals(.imagePosition) ?? []
      lines.append(
        ([segment.type?.value ?? "", segment.modifier?.value ?? "", segment.name]
          + [source?.text(.referencedSOPInstanceUID) ?? ""]
          + place.map { String(format: "%.3f", $0) }
          + [hexadecimal(SHA256.hash(data: Data(bits)))]).joined(separator: "|"))
    }
    return lines
  }

  /// The bits of one frame, from the first bit of the first byte on (PS3.5 8.1.1).
  private static func packed(_ pixels: [UInt8], from first: Int, count: Int) -> [UInt8] {
    if first.isMultiple(of: 8), count.isMultiple(of: 8) {
      return Array(pixels[first / 8..<(first + count) / 8])
    }
    var bits = [UInt8](repeating: 0, count: (count + 7) / 8)
    for pixel in 0..<count {
      let bit = first + pixel
      if pixels[bit / 8] & (1 << UInt8(bit % 8)) != 0 { bits[pixel / 8] |= 1 << UInt8(pixel % 8) }
    }
    return bits
  }
}
