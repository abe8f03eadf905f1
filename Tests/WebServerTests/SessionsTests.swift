import Clocks
import Synchronization
import Testing

@testable import Dashboard

/// Sessions of the dashboard, with a clock that the test sets.
@Suite struct SessionsTests {
  private final class Clock: Sendable {
    private let seconds = Mutex(SteadyTime.now)
    var now: SteadyTime { seconds.withLock { $0 } }
    func pass(_ time: Double) { seconds.withLock { $0 = $0 - -time } }
  }

  private let clock = Clock()

  private func sessions() -> Sessions {
    let clock = clock
    return Sessions(idleSeconds: 1800) { clock.now }
  }

  @Test func aSessionEndsWhereItIsNotUsed() throws {
    let sessions = sessions()
    let identifier = sessions.begin(user: "olga", role: .operator)
    for _ in 0..<3 {
      clock.pass(1700)
      #expect(sessions.session(identifier)?.user == "olga")
    }
    clock.pass(1801)
    #expect(sessions.session(identifier) == nil)
  }

  /// A page that follows what happens in a browser that nobody sits at.
  @Test func aSessionThatIsOnlyLookedAtEnds() throws {
    let sessions = sessions()
    let identifier = sessions.begin(user: "olga", role: .operator)
    for _ in 0..<17 {
      clock.pass(100)
      #expect(sessions.session(identifier, isUse: false)?.user == "olga")
    }
    clock.pass(101)
    #expect(sessions.session(identifier, isUse: false) == nil)
  }

  @Test func aSessionEndsAfterTwelveHoursHoweverMuchItIsUsed() throws {
    let sessions = sessions()
    let identifier = sessions.begin(user: "olga", role: .viewer)
    for _ in 0..<28 {
      clock.pass(1500)
      #expect(sessions.session(identifier) != nil)
    }
    clock.pass(1500)
    #expect(sessions.session(identifier) == nil)
  }

  @Test func identifiersAndTokensAreNeverTheSame() throws {
    let sessions = sessions()
    let identifiers = (0..<100).map { _ in sessions.begin(user: "olga", role: .operator) }
    #expect(Set(identifiers).count == 100 && identifiers.allSatisfy { $0.count == 64 })
    let tokens = try identifiers.map { try #require(sessions.session($0)?.csrfToken) }
    #expect(Set(tokens + identifiers).count == 200)
    sessions.end(identifiers[0])
    #expect(sessions.session(identifiers[0]) == nil && sessions.session(identifiers[1]) != nil)
  }

  @Test func whoHasNotUsedItLongestGivesWay() throws {
    let sessions = sessions()
    let first = sessions.begin(user: "olga", role: .operator)
    for _ in 0..<1000 {
      clock.pass(1)
      _ = sessions.begin(user: "vera", role: .viewer)
    }
    #expect(sessions.session(first) == nil)
  }

  @Test func noticesAreShownOnce() throws {
    let sessions = sessions()
    let identifier = sessions.begin(user: "olga", role: .operator)
    sessions.leave(["Job 1 is sent now."], in: identifier)
    #expect(sessions.takeNotices(of: identifier) == ["Job 1 is sent now."])
    #expect(sessions.takeNotices(of: identifier) == [])
  }

  @Test(arguments: [
    ("/", true), ("/studies/1.2", true), ("/api/v1/jobs", true), ("/static/style.css", true),
    ("/metrics", false), ("/dicom-web/studies", false), ("/readyz", false),
  ])
  func pathsOfItsOwn(path: String, isOwn: Bool) { #expect(Dashboard.isOwn(path) == isOwn) }
}
