import DICOMNetwork
import Foundation
import TestSupport
import Testing

/// A few seconds of conversations that are changed at random; `Scripts/fuzz.sh` has them for longer,
/// with a daemon that the address sanitizer watches.
@Suite struct AssociationFuzzTests {
  private static let script =
    TestFiles.package.appendingPathComponent("Scripts/test-support/peers/association_fuzz.py").path

  @Test func honestPeersAreAnsweredAndEveryAssociationEnds() async throws {
    let listener = try Listener {
      $0.policy.limits.requestSeconds = 1
      $0.policy.limits.pduSeconds = 1
    }
    let fuzz = try await runProcess(
      testPython, [Self.script, "\(listener.port)", Listener.aeTitle, "5"])
    #expect(fuzz.status == 0, "\(fuzz.output)")
    await listener.stop()
    let events = listener.events
    let accepted = events.filter { $0.kind == .accepted }.map(\.association.number)
    let ended = events.filter { if case .ended = $0.kind { true } else { false } }
    #expect(Set(accepted).count == accepted.count && accepted.count > 20, "\(fuzz.output)")
    #expect(ended.map(\.association.number).sorted() == accepted.sorted(), "\(fuzz.output)")
    // What was acknowledged is counted, and nothing else is left on disk.
    #expect(ended.reduce(0) { $0 + $1.stored } == listener.received.count)
    let received = listener.received.map { URL(fileURLWithPath: $0.path).lastPathComponent }
    #expect(try listener.files.sorted() == received.sorted())
  }
}
