import DICOM
import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// Archives that do not do what they should: each answer is an error in words, within its time.
@Suite(.timeLimit(.minutes(10))) struct OddArchiveTests {
  private func series(of behaviour: String, matches: Int = 1000) async throws -> [SeriesMatch] {
    let phantom = try await PhantomSeries(slices: 3)
    let archive = try await QueryArchive(phantom.files, behaviour)
    let found = try await QueryRetrieveSCU.test(maximumMatches: matches)
      .series(ofStudy: phantom.study, at: .pacs(archive.port))
    try await archive.stop()
    return found
  }

  @Test func pendingForEver() async throws {
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await series(of: "endless", matches: 50)
    }
    guard case .tooMuch(_, .find, let reason) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason == "more than 50 matches")
  }

  @Test func anArchiveThatNeverAnswers() async throws {
    let phantom = try await PhantomSeries(slices: 1)
    let archive = try await QueryArchive(phantom.files, "silent")
    let began = Date()
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await QueryRetrieveSCU.test(timeout: 10).series(
        ofStudy: phantom.study, at: .pacs(archive.port))
    }
    // On a busy machine not even the association may come in time.
    #expect(error?.isPassing == true)
    #expect(Date().timeIntervalSince(began) < 600)
    try await archive.stop()
  }

  @Test func anArchiveThatIsBusy() async throws {
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await series(of: "busy")
    }
    guard case .refused(_, .find, 0xA700, let meaning) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(meaning.contains("Resources"), "\(meaning)")
    #expect(error?.isPassing == true)
  }

  @Test func anIdentifierThatIsTooLarge() async throws {
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await series(of: "large")
    }
    guard case .tooMuch(_, .find, _) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func anIdentifierThatIsNestedTooDeeply() async throws {
    let error = await #expect(throws: QueryRetrieveError.self) { _ = try await series(of: "deep") }
    guard case .malformed = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aMatchWithoutUID() async throws {
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await series(of: "no-uid")
    }
    guard case .malformed(_, let reason) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("(0020,000E)"), "\(reason)")
  }

  @Test func matchesOfAnotherStudyAreLeftOut() async throws {
    #expect(try await series(of: "strangers").map(\.instanceCount) == [3])
  }

  @Test func aSeriesWithoutCount() async throws {
    #expect(try await series(of: "no-count").map(\.instanceCount) == [nil])
  }

  private func get(
    _ behaviour: String, _ recorder: RetrievalRecorder, slices: Int = 4,
    scu: QueryRetrieveSCU = .test()
  ) async throws -> RetrievalOutcome {
    let phantom = try await PhantomSeries(slices: slices)
    let archive = try await QueryArchive(phantom.files, behaviour)
    let outcome = try await scu.get(
      QueryIdentifier(studyInstanceUID: phantom.study), from: .pacs(archive.port),
      into: recorder.reception, handlers: recorder.handlers)
    try await archive.stop()
    return outcome
  }

  @Test func objectsThatCannotBeSent() async throws {
    let recorder = try RetrievalRecorder()
    let outcome = try await get("short", recorder)
    #expect(outcome.status == 0xB000)
    #expect(outcome.completed == 2 && outcome.failed == 2)
    #expect(outcome.failedInstances.count == 2)
    #expect(recorder.received.objects.count == 2)
  }

  @Test func objectsThatAreNotSentWithoutAWord() async throws {
    let recorder = try RetrievalRecorder()
    let outcome = try await get("forgets", recorder)
    #expect(outcome.status == 0)
    #expect(recorder.received.objects.count == 2)
  }

  /// What came stays, and the association is told to have broken.
  @Test func anArchiveThatGoesAway() async throws {
    let recorder = try RetrievalRecorder()
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await get("leaves", recorder)
    }
    guard case .interrupted(_, .get, _) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(recorder.received.objects.count == 1)
    #expect(recorder.received.events.map(\.kind) == [.ended(.connectionLost)])
  }

  @Test func anArchiveThatDoesNotKnowTheService() async throws {
    let recorder = try RetrievalRecorder()
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await get("no-get", recorder)
    }
    guard case .notSupported(_, .get) = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aRetrievalThatStalls() async throws {
    let recorder = try RetrievalRecorder()
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await get("stalls", recorder, scu: .test(maximumSilence: 3))
    }
    guard case .interrupted(_, .get, "the peer made no progress") = try #require(error) else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(recorder.received.events.map(\.kind) == [.ended(.timedOut)])
  }

  @Test func cancellationEndsARetrievalAtOnce() async throws {
    let recorder = try RetrievalRecorder()
    let phantom = try await PhantomSeries(slices: 60)
    let archive = try await QueryArchive(phantom.files, "slow")
    let task = Task {
      try await QueryRetrieveSCU.test().get(
        QueryIdentifier(studyInstanceUID: phantom.study), from: .pacs(archive.port),
        into: recorder.reception, handlers: recorder.handlers)
    }
    try await waitUntil("an object", within: 900) { recorder.received.objects.count > 0 }
    task.cancel()
    await #expect(throws: QueryRetrieveError.cancelled) { _ = try await task.value }
    try await waitUntil("the end of the association", within: 900) {
      recorder.received.events.map(\.kind) == [.ended(.shutDown)]
    }
    let count = recorder.received.objects.count
    #expect(count < 60)
    try await archive.stop()
  }

  @Test func aPeerThatIsAway() async throws {
    let peer = Peer.pacs(try freePort())
    let error = await #expect(throws: QueryRetrieveError.self) {
      _ = try await QueryRetrieveSCU.test().series(ofStudy: "1.2.3", at: peer)
    }
    #expect(error?.isPassing == true)
    #expect(error?.description.contains("PACS at 127.0.0.1:\(peer.port)") == true)
  }
}
