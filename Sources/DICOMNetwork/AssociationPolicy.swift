/// Which associations a listener accepts, and what may come over them (PS3.8 7.1, PS3.7 D.3).
public struct AssociationPolicy: Sendable, Equatable {
  /// Application entities that may call.
  public struct Caller: Sendable, Equatable {
    /// Nil for any title.
    public var aeTitle: String?
    /// Where it may call from; empty for anywhere.
    public var addresses: [AddressRange]

    public init(aeTitle: String?, addresses: [AddressRange] = []) {
      self.aeTitle = aeTitle
      self.addresses = addresses
    }

    func admits(from address: String) -> Bool {
      addresses.isEmpty || addresses.contains { $0.contains(address) }
    }
  }

  /// The AE title that a caller must call.
  public var calledAETitle: String
  /// Who may call; empty admits all.
  public var callers: [Caller] = []
  /// SOP classes of C-STORE that are accepted.
  public var sopClasses: [String]
  /// Their transfer syntaxes. Of those that a peer proposes the first one is taken: the order is the
  /// peer's.
  public var transferSyntaxes: [String]
  public var limits = PeerLimits()

  public init(calledAETitle: String, sopClasses: [String], transferSyntaxes: [String]) {
    self.calledAETitle = calledAETitle
    self.sopClasses = sopClasses
    self.transferSyntaxes = transferSyntaxes
  }

  /// What becomes of a request, by AE titles and address.
  enum Admission: Equatable {
    case admitted
    case calledAETitleNotRecognized(String)
    case callingAETitleNotRecognized(String)
  }

  func admission(of association: Association) -> Admission {
    guard association.calledAETitle == calledAETitle else {
      return .calledAETitleNotRecognized("called AE title \(association.calledAETitle) is not ours")
    }
    guard !callers.isEmpty else { return .admitted }
    let entries = callers.filter { $0.aeTitle == nil || $0.aeTitle == association.callingAETitle }
    if entries.contains(where: { $0.admits(from: association.peerAddress) }) { return .admitted }
    return .callingAETitleNotRecognized(
      entries.contains { $0.aeTitle != nil }
        ? "calling AE title is not admitted from this address"
        : "calling AE title is not on the list")
  }

  /// Every transfer syntax whose pixels are decoded (PS3.5 10 and A).
  public static let decodedTransferSyntaxes = [
    "1.2.840.10008.1.2.1",  // Explicit VR Little Endian
    "1.2.840.10008.1.2",  // Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  // Explicit VR Big Endian
    "1.2.840.10008.1.2.4.80",  // JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  // JPEG 2000 lossless
    "1.2.840.10008.1.2.4.70",  // JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  // JPEG lossless
    "1.2.840.10008.1.2.5",  // RLE lossless
    "1.2.840.10008.1.2.4.81",  // JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.91",  // JPEG 2000
    "1.2.840.10008.1.2.4.51",  // JPEG extended
    "1.2.840.10008.1.2.4.50",  // JPEG baseline
    "1.2.840.10008.1.2.4.201",  // High-throughput JPEG 2000 lossless
    "1.2.840.10008.1.2.4.202",  // High-throughput JPEG 2000 lossless, RPCL
    "1.2.840.10008.1.2.4.203",  // High-throughput JPEG 2000
    "1.2.840.10008.1.2.1.99",  // Deflated Explicit VR Little Endian
  ]
}
