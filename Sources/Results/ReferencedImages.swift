import DICOM
import Volumes

/// Writes the items of Referenced Series Sequence (0008,1115) (PS3.3 C.12.4).
enum ReferencedImages {
  /// An item for each of the series that the images are of, in their order; each image once.
  static func items(_ frames: [ImageFrame]) -> [Dataset] {
    var listed: Set<String> = []
    var order: [String] = []
    var instances: [String: [Dataset]] = [:]
    for frame in frames where listed.insert(frame.sopInstanceUID).inserted {
      var instance = Dataset()
      instance.set(.referencedSOPClassUID, .UI, frame.sopClassUID)
      instance.set(.referencedSOPInstanceUID, .UI, frame.sopInstanceUID)
      if instances[frame.seriesInstanceUID] == nil { order.append(frame.seriesInstanceUID) }
      instances[frame.seriesInstanceUID, default: []].append(instance)
    }
    return order.map { uid in
      var series = Dataset()
      series.set(.seriesInstanceUID, .UI, uid)
      series.set(.referencedInstanceSequence, instances[uid] ?? [])
      return series
    }
  }
}
