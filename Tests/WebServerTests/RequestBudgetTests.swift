import Clocks
import Synchronization
import Testing

@testable import Dashboard

/// Limits of costly requests, with a clock that the test sets.
@Suite struct RequestBudgetTests {
  private final class Clock: Sendable {
    private let time = Mutex(SteadyTime.now)
    var now: SteadyTime { time.withLock { $0 } }
    func pass(_ seconds: Double) { time.withLock { $0 = $0 - -seconds } }
  }

  @Test func eachVisitorHasABudgetThatFillsAgain() {
    let clock = Clock()
    let budget = RequestBudget(burst: 3, perSecond: 0.5) { clock.now }
    #expect((0..<5).map { _ in budget.take("olga") } == [true, true, true, false, false])
    #expect(budget.take("vera"))
    clock.pass(2)
    #expect(budget.take("olga") && !budget.take("olga"))
    clock.pass(3600)
    #expect((0..<4).map { _ in budget.take("olga") } == [true, true, true, false])
  }

  @Test func whoHasUsedNothingIsForgotten() {
    let clock = Clock()
    let budget = RequestBudget(burst: 1, perSecond: 1) { clock.now }
    for number in 0..<3000 {
      #expect(budget.take("\(number)"))
      clock.pass(0.5)
    }
    #expect(!budget.take("2999") && budget.visitors < 1100)
  }

  @Test func oneRunsAtATime() async {
    let one = OneAtATime()
    let outer = await one.run { await one.run { 1 } ?? 2 }
    #expect(outer == 2)
    #expect(await one.run { 3 } == 3)
  }
}
