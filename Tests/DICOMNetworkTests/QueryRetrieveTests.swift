import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// Queries and retrievals from three archives that others wrote.
@Suite struct QueryRetrieveTests {
  private let scu = QueryRetrieveSCU.test(timeout: 60, maximumSilence: 120)

  /// - Parameter counts: whether the archive tells Number of Series Related Instances.
  private func check(_ phantom: PhantomSeries, at peer: Peer, counts: Bool = true) async throws {
    let series = try await scu.series(ofStudy: phantom.study, at: peer)
    #expect(
      series == [
        SeriesMatch(
          studyInstanceUID: phantom.study, seriesInstanceUID: phantom.series, modality: "CT",
          instanceCount: counts ? phantom.files.count : nil)
      ])
    let uids = try phantom.files.map { try DICOMFile(path: $0.path).identity().sopInstanceUID }
    let instances = try await scu.instances(
      ofSeries: phantom.series, study: phantom.study, at: peer)
    #expect(Set(instances.map(\.sopInstanceUID)) == Set(uids))
    #expect(
      instances.allSatisfy {
        $0.sopClassUID ?? ImageStorage.sopClasses[0] == ImageStorage.sopClasses[0]
      })
    #expect(try await scu.series(ofStudy: "1.2.3.4.5.6", at: peer).isEmpty)

    for (identifier, count) in [
      (QueryIdentifier(studyInstanceUID: phantom.study), uids.count),
      (
        QueryIdentifier(studyInstanceUID: phantom.study, seriesInstanceUID: phantom.series),
        uids.count
      ),
      (
        QueryIdentifier(
          studyInstanceUID: phantom.study, seriesInstanceUID: phantom.series,
          sopInstanceUIDs: Array(uids[1...2])), 2
      ),
    ] {
      let recorder = try RetrievalRecorder()
      let outcome = try await scu.get(
        identifier, from: peer, into: recorder.reception, handlers: recorder.handlers)
      #expect(outcome.status == 0)
      #expect(outcome.completed == count)
      let received = recorder.received
      #expect(received.objects.count == count && received.refused.isEmpty)
      #expect(Set(received.objects.map(\.sopInstanceUID)).isSubset(of: uids))
      #expect(received.events.map(\.kind) == [.ended(.released)])
      #expect(received.events.first?.association.callingAETitle == "PACS")
      #expect(try recorder.datasets().isSubset(of: Set(phantom.files.map(datasetBytes))))
    }
  }

  @Test func orthanc() async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let orthanc = try await Orthanc(dicomPort: try freePort())
    try await orthanc.upload(phantom.files)
    try await check(phantom, at: .pacs(orthanc.dicomPort))
    try await orthanc.stop()
  }

  @Test func dcmqrscp() async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let archive = try await Dcmqrscp(phantom.files)
    try await check(phantom, at: .pacs(archive.port), counts: false)
    try await archive.stop()
  }

  @Test func pynetdicom() async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let archive = try await QueryArchive(phantom.files)
    try await check(phantom, at: .pacs(archive.port))
    try await archive.stop()
  }

  @Test func anArchiveThatKnowsThePatientRootOnly() async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let archive = try await QueryArchive(phantom.files, "patient-root")
    try await check(phantom, at: .pacs(archive.port))
    try await archive.stop()
  }

  /// As they are stored, transfer syntaxes that DCMTK 3.6.7 does not know included.
  @Test(arguments: ["jpeg-2000-lossless", "jpeg-ls-lossless", "rle", "explicit-little"])
  func objectsComeInTheTransferSyntaxTheyAreStoredIn(name: String) async throws {
    let file = try await Phantom.file(name)
    let identity = try DICOMFile(path: file.path).identity()
    let archive = try await QueryArchive([file])
    let recorder = try RetrievalRecorder()
    _ = try await scu.get(
      QueryIdentifier(studyInstanceUID: identity.studyInstanceUID), from: .pacs(archive.port),
      into: recorder.reception, handlers: recorder.handlers)
    #expect(recorder.received.objects.map(\.transferSyntaxUID) == [identity.transferSyntaxUID])
    #expect(try recorder.datasets() == [datasetBytes(file)])
    try await archive.stop()
  }

  @Test func moveToTheListener() async throws {
    let phantom = try await PhantomSeries(slices: 4)
    let listener = try Listener()
    let archives: [(port: Int, stop: () async throws -> Void)] = [
      try await {
        let orthanc = try await Orthanc(dicomPort: try freePort(), destination: listener.port)
        try await orthanc.upload(phantom.files)
        return (orthanc.dicomPort, orthanc.stop)
      }(),
      try await {
        let archive = try await Dcmqrscp(phantom.files, destination: listener.port)
        return (archive.port, archive.stop)
      }(),
      try await {
        let archive = try await QueryArchive(phantom.files, "move=SEGMENTD:\(listener.port)")
        return (archive.port, archive.stop)
      }(),
    ]
    for (index, archive) in archives.enumerated() {
      let outcome = try await scu.move(
        QueryIdentifier(studyInstanceUID: phantom.study, seriesInstanceUID: phantom.series),
        from: .pacs(archive.port), to: Listener.aeTitle)
      #expect(outcome.status == 0)
      try await waitUntil("the objects", within: 900) { listener.received.count == 4 * (index + 1) }
      try await archive.stop()
    }
    await listener.stop()
  }

  @Test func aDestinationThatThePeerDoesNotKnow() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    let archive = try await QueryArchive(phantom.files)
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await scu.move(
        QueryIdentifier(studyInstanceUID: phantom.study), from: .pacs(archive.port), to: "NOBODY")
    }
    guard case .refused(_, .move, 0xA801, let meaning) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(meaning.contains("MoveDestinationUnknown") || meaning.contains("Destination"))
    try await archive.stop()
  }
}
