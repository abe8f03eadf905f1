import Foundation
import SeriesReading
import SeriesSelection
import Testing

@testable import SeriesProcessing

/// Which series of a study are the channels of a model.
@Suite struct ChannelSelectionTests {
  /// A T1 and a T2 channel, whose result is on the T2 series.
  private let channels = [
    ModelChannel(name: "t1", criteria: described("t1", preferring: "sag")),
    ModelChannel(name: "t2", criteria: described("t2"), isReference: true),
  ]

  private static func described(_ text: String, preferring: String? = nil) -> SeriesCriteria {
    func criterion(_ text: String) -> SeriesCriterion {
      SeriesCriterion(.seriesDescription, .texts(include: [text], exclude: []))
    }
    return SeriesCriteria(
      required: [criterion(text)],
      preferred: preferring.map { [.init([criterion($0)], weight: 2)] } ?? [])
  }

  private func candidate(_ series: String, _ description: String, frame: String = "1.2.9")
    -> ChannelCandidate
  {
    var facts = SeriesFacts(seriesInstanceUID: series, imageCount: 1)
    facts[.seriesDescription] = .text(description)
    return ChannelCandidate(
      files: SeriesFiles(
        seriesInstanceUID: series, files: [URL(fileURLWithPath: "/nowhere/\(series)")]),
      facts: facts, frameOfReferenceUID: frame, studyInstanceUID: "1.2")
  }

  private func refused(_ candidates: ChannelCandidate..., chosen: [String: String] = [:])
    -> ChannelRefusal?
  {
    do {
      _ = try ChannelSelection(channels, candidates: candidates, chosen: chosen)
      return nil
    } catch {
      return error
    }
  }

  /// In the model's order, whatever the order of the series, and the better of two that match.
  @Test func eachChannelIsTheBestSeriesByItsCriteria() throws {
    let candidates = [
      candidate("1.2.4", "t1 ax"), candidate("1.2.2", "t2 ax"), candidate("1.2.3", "t1 sag"),
      candidate("1.2.5", "localizer"),
    ]
    for study in [candidates, candidates.reversed()] {
      let selection = try ChannelSelection(channels, candidates: study)
      #expect(selection.names == ["t1", "t2"])
      #expect(selection.series.map(\.seriesInstanceUID) == ["1.2.3", "1.2.2"])
      #expect(selection.reference.seriesInstanceUID == "1.2.2")
      #expect(selection.series[0].files.map(\.path) == ["/nowhere/1.2.3"])
    }
  }

  @Test func aMissingChannelNamesEachCandidateWithoutItsText() throws {
    let refusal = try #require(
      refused(candidate("1.2.2", "t2 Doe"), candidate("1.2.5", "flair Doe")))
    guard case .missing("t1", let listed) = refusal else {
      Issue.record("\(refusal)")
      return
    }
    #expect(listed.count == 2)
    #expect(listed.contains("series 1.2.5: seriesDescription is another text, wanted t1"))
    #expect(refusal.description.hasPrefix("no series of the study is channel t1: "))
    #expect(!refusal.description.contains("Doe"))
  }

  /// A series in another frame of reference cannot be brought to the reference's grid.
  @Test func onlyTheReferencesFrameOfReferenceCounts() throws {
    let (t2, t1) = (candidate("1.2.2", "t2"), candidate("1.2.3", "t1", frame: "1.2.8"))
    let missing = try #require(refused(t2, t1))
    #expect(
      missing.description.contains("series 1.2.3: in another frame of reference (0020,0052)"))
    // The worse one wins where it alone is in the frame.
    let near = candidate("1.2.4", "t1 ax")
    let far = candidate("1.2.3", "t1 sag", frame: "1.2.8")
    let selection = try ChannelSelection(channels, candidates: [t2, far, near])
    #expect(selection.series[0].seriesInstanceUID == "1.2.4")
    #expect(
      refused(t2, far, near, chosen: ["t1": "1.2.3"])
        == .otherFrameOfReference(channel: "t1", series: "1.2.3", reference: "1.2.2"))
    #expect(
      refused(candidate("1.2.2", "t2", frame: "")) == .noFrameOfReference(series: "1.2.2"))
  }

  @Test func aTieIsRefusedUntilSomebodyChooses() throws {
    let study = [
      candidate("1.2.2", "t2"), candidate("1.2.3", "t1 sag"), candidate("1.2.4", "t1 sag too"),
    ]
    #expect(
      refused(study[0], study[1], study[2])
        == .ambiguous(
          channel: "t1", candidates: ["series 1.2.3 (score 2)", "series 1.2.4 (score 2)"]))
    let chosen = try ChannelSelection(channels, candidates: study, chosen: ["t1": "1.2.4"])
    #expect(chosen.series.map(\.seriesInstanceUID) == ["1.2.4", "1.2.2"])
  }

  @Test func oneSeriesIsNotTwoChannels() throws {
    let both = candidate("1.2.2", "t1 or t2")
    #expect(refused(both) == .sharedSeries(series: "1.2.2", channels: ["t1", "t2"]))
    // What is chosen for one channel is no candidate for another.
    let refusal = try #require(refused(both, chosen: ["t1": "1.2.2"]))
    #expect(refusal == .missing(channel: "t2", candidates: []))
    #expect(refusal.description.hasSuffix("it has no other series"))
  }

  @Test func aWrongChoiceIsNamed() {
    let t2 = candidate("1.2.2", "t2")
    #expect(
      refused(t2, chosen: ["flair": "1.2.2"])
        == .unknownChannel(name: "flair", known: ["t1", "t2"]))
    #expect(
      refused(t2, chosen: ["t1": "9.9"]) == .unknownSeries(channel: "t1", series: "9.9"))
  }
}
