import DICOM
import Foundation
import TestSupport
import Testing

@testable import DICOMweb

/// Answers of servers with a few bytes changed: whatever is read of them is what it says it is.
@Suite struct DamagedAnswerTests {
  private static let workitem = """
    {"00080018":{"vr":"UI","Value":["1.2.3"]},"00741000":{"vr":"CS","Value":["SCHEDULED"]},
    "00404021":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI","Value":["1.2"]},
    "0020000E":{"vr":"UI","Value":["1.2.3"]}}]}}
    """
  private static let event = """
    {"00001000":{"vr":"UI","Value":["1.2.3"]},"00001002":{"vr":"US","Value":[2]}}
    """
  private static let stored = """
    {"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2"]}}]},
    "00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.3"]},
    "00081197":{"vr":"US","Value":[272]}}]}}
    """

  @Test func aWorkitemNamesNothingButUIDs() {
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<2000 {
      let json = Data(damage.damaged(Array(Self.workitem.utf8)))
      guard let match = try? JSONDecoder().decode(JSONDataset.self, from: json),
        let workitem = Workitem(match)
      else { continue }
      read += 1
      let uids = workitem.inputs.flatMap { [$0.studyInstanceUID, $0.seriesInstanceUID] }
      for uid in [workitem.uid] + uids.compactMap(\.self) { #expect(DICOMUID.isValid(uid)) }
    }
    #expect(read > 0 && read < 2000)
  }

  @Test func anEventNamesAWorkitem() {
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<2000 {
      guard let event = WorkitemEvent(Data(damage.damaged(Array(Self.event.utf8)))) else {
        continue
      }
      read += 1
      #expect(DICOMUID.isValid(event.uid))
    }
    #expect(read > 0 && read < 2000)
  }

  @Test func whatBecameOfInstancesIsOfSome() {
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<2000 {
      let json = Data(damage.damaged(Array(Self.stored.utf8)))
      guard let response = StoreInstancesResponse(json: json) else { continue }
      read += 1
      #expect(response.stored.count <= 1 && response.failed.count <= 1)
      #expect(!response.stored.isEmpty || !response.failed.isEmpty)
    }
    #expect(read > 0 && read < 2000)
  }
}
