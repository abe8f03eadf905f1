import DICOM
import Foundation

extension StoreInstancesResponse {
  /// Reads the answer of a server in the DICOM JSON model (PS3.18 F, I.2); nil for anything else.
  public init?(json: Data) {
    let decoder = JSONDecoder()
    // Some servers make a list of the one dataset.
    guard
      let dataset = (try? decoder.decode(JSONDataset.self, from: json))
        ?? (try? decoder.decode([JSONDataset].self, from: json))?.first
    else { return nil }
    self.init()
    stored = dataset.items(.referencedSOPSequence).map { item in
      var instance = Instance(item)
      instance.warning = item.integer(.warningReason).map { UInt16(clamping: $0) }
      return instance
    }
    failed =
      (dataset.items(.failedSOPSequence) + dataset.items(.otherFailuresSequence)).map { item in
        Failure(
          instance: Instance(item),
          reason: item.integer(.failureReason).map { UInt16(clamping: $0) } ?? 0x0110)
      }
    guard !stored.isEmpty || !failed.isEmpty else { return nil }
  }
}

extension StoreInstancesResponse.Instance {
  fileprivate init(_ item: JSONDataset) {
    self.init(
      sopClassUID: item.text(.referencedSOPClassUID),
      sopInstanceUID: item.text(.referencedSOPInstanceUID))
  }
}
