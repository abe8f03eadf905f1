import DICOM
import Foundation
import FuzzSupport

@testable import DICOMweb

/// Reads what libFuzzer makes as the answer of a DICOMweb server in the DICOM JSON model: matches of a query,
/// workitems, and what became of stored instances. Every outcome but a crash, a hang or unbounded memory is right.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let json = Data(UnsafeRawBufferPointer(start: start, count: count))
  _ = StoreInstancesResponse(json: json)
  for match in matches(json) {
    _ = match.integer(.numberOfSeriesRelatedInstances)
    guard let workitem = Workitem(match) else { continue }
    precondition(DICOMUID.isValid(workitem.uid), "a workitem's UID is none")
    for input in workitem.inputs {
      let uids = [input.studyInstanceUID, input.seriesInstanceUID].compactMap(\.self)
      precondition(uids.allSatisfy(DICOMUID.isValid), "an input's UID is none")
    }
  }
  return 0
}

/// Of a list, or of one alone.
private func matches(_ json: Data) -> [JSONDataset] {
  let decoder = JSONDecoder()
  if let list = try? decoder.decode([JSONDataset].self, from: json) { return list }
  guard let one = try? decoder.decode(JSONDataset.self, from: json) else { return [] }
  return [one]
}
