import DICOM
import Volumes

/// Digests of stored values, each computed once.
final class PixelDigests {
  private struct Key: Hashable {
    var file: String
    var frame: Int?
    var tile: Int?
  }

  private var known: [Key: String?] = [:]
  /// Why a file could not be read, where our own disk or installation is at fault.
  private(set) var fault: DICOMError?

  func digest(_ frame: ImageFrame) -> String? {
    let key = Key(file: frame.file, frame: frame.frameNumber, tile: frame.mosaicTile?.index)
    if let digest = known[key] { return digest }
    var digest: String?
    do throws(DICOMError) {
      digest = try PixelReader.digest(of: frame)
    } catch {
      if !error.isFileFault { fault = error }
    }
    known[key] = .some(digest)
    return digest
  }
}
