import Ingest
import Testing

@testable import Pipeline

/// When a receiving process counts as hanging.
@Suite struct ReceiverWatchTests {
  private let missing = ReceiverWatch.Step.end(
    .init(reason: "it has not answered for 30 s", isOfReading: false))

  @Test func aProcessThatAnswersIsAskedAgainAndAgain() {
    var watch = ReceiverWatch()
    for number in 1...100 {
      #expect(watch.step() == .ask(number))
      // An answer may take its time.
      for _ in 0..<(number % 6) { #expect(watch.step() == .wait) }
      watch.take(number, except: nil)
    }
  }

  @Test func aProcessThatDoesNotAnswerIsEnded() {
    var watch = ReceiverWatch()
    #expect(watch.step() == .ask(1))
    watch.take(1, except: nil)
    #expect(watch.step() == .ask(2))
    for _ in 0..<5 {
      #expect(watch.step() == .wait)
      // An answer to another question is none.
      watch.take(1, except: nil)
    }
    #expect(watch.step() == missing)
  }

  @Test func aProcessOfWhichAPartStandsStillIsEnded() {
    let fault = SignsOfLife.Fault(reason: "the listener makes no progress", isOfReading: false)
    var watch = ReceiverWatch()
    #expect(watch.step() == .ask(1))
    watch.take(1, except: fault)
    #expect(watch.step() == .end(fault))
  }
}
