import Testing

@testable import DICOMNetwork

@Suite struct AddressRangeTests {
  @Test(arguments: [
    ("10.1.0.0/16", "10.1.2.3", true), ("10.1.0.0/16", "10.2.0.1", false),
    ("10.1.2.128/25", "10.1.2.200", true), ("10.1.2.128/25", "10.1.2.100", false),
    ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
    ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false),
    ("2001:db8::/32", "2001:db8:1::5", true), ("2001:db8::/32", "2001:db9::5", false),
    ("::1", "::1", true), ("::/0", "fe80::1%eth0", true), ("fe80::/10", "fe80::1%eth0", true),
    // IPv4 within IPv6 is IPv4, on either side.
    ("10.1.0.0/16", "::ffff:10.1.2.3", true), ("::ffff:10.1.0.0/112", "10.1.2.3", true),
    ("::ffff:10.1.0.0/112", "10.2.2.3", false), ("10.1.0.0/16", "host.example", false),
  ])
  func contains(range: String, address: String, isWithin: Bool) throws {
    #expect(try #require(AddressRange(range)).contains(address) == isWithin)
  }

  @Test(arguments: [
    "", "10.1", "10.1.0.0/", "10.1.0.0/33", "10.1.0.0/-1", "10.1.0.0/+8", "10.1.0.0/16/2",
    "10.1.2.3/16", "2001:db8::/129", "2001:db8::1/32", "host", "::ffff:10.0.0.0/90", "10.1.0.0/ 16",
  ])
  func refusesWhatIsNone(text: String) {
    #expect(AddressRange(text) == nil)
  }

  @Test(arguments: ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "::1"])
  func isWrittenAsItIsRead(text: String) throws {
    #expect("\(try #require(AddressRange(text)))" == text)
  }

  @Test func admitsByTitleAndAddress() throws {
    var policy = AssociationPolicy.test(calledAETitle: "US")
    func admits(_ calling: String, _ address: String, called: String = "US") -> Bool {
      policy.admission(
        of: Association(
          number: 1, startedAt: .now, callingAETitle: calling, calledAETitle: called,
          peerAddress: address)) == .admitted
    }
    #expect(admits("ANY", "192.0.2.1") && !admits("ANY", "192.0.2.1", called: "OTHER"))
    policy.callers = [
      .init(aeTitle: "ANYWHERE"),
      .init(aeTitle: "CT1", addresses: [try #require(AddressRange("10.1.0.0/16"))]),
      .init(aeTitle: nil, addresses: [try #require(AddressRange("fd00::/8"))]),
    ]
    #expect(admits("ANYWHERE", "192.0.2.1"))
    #expect(admits("CT1", "10.1.9.9") && !admits("CT1", "10.2.0.1"))
    #expect(admits("WHOEVER", "fd12::1") && !admits("WHOEVER", "10.1.9.9"))
  }
}
