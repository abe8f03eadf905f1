import Foundation
import Testing

@testable import Ingest
@testable import Pipeline

/// The connection between the two processes of a daemon.
@Suite struct MessageChannelTests {
  @Test func messagesArriveInOrderAndThenTheEnd() async throws {
    let (ours, theirs) = try MessageChannel.pair()
    let messages = ours.messages(ReceiverReport.self)
    do {
      let other = MessageChannel(theirs)
      try other.send(ReceiverReport.receiving)
      // Longer than the socket's buffer, and of several lines.
      try other.send(ReceiverReport.failed(String(repeating: "line\n", count: 100_000)))
      for number in 1...1000 { try other.send(ReceiverReport.flushed(number)) }
    }
    var lengths: [Int] = []
    var numbers: [Int] = []
    for await message in messages {
      switch message {
      case .receiving: lengths.append(0)
      case .failed(let text): lengths.append(text.count)
      case .flushed(let number): numbers.append(number)
      case .suspectsLedger, .unwritable, .works: Issue.record("never sent")
      }
    }
    #expect(lengths == [0, 500_000] && numbers == Array(1...1000))
  }

  @Test func sendingToAProcessThatHasEndedIsNoError() throws {
    let (ours, theirs) = try MessageChannel.pair()
    close(theirs)
    try ours.send(ReceiverOrder.stop)
    let next = try ours.receive(ReceiverReport.self)
    #expect(next == nil)
  }

  @Test func onlyASocketIsOne() throws {
    let (_, theirs) = try MessageChannel.pair()
    #expect(MessageChannel.isSocket(theirs))
    close(theirs)
    let file = open("/dev/null", O_RDONLY)
    #expect(!MessageChannel.isSocket(file))
    close(file)
  }
}
