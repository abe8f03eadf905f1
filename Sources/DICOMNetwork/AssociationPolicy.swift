/// Which associations a listener accepts, what may come over them, and how long a peer may be
/// silent (PS3.8 7.1, PS3.7 D.3).
public struct AssociationPolicy: Sendable, Equatable {
  /// The AE title that a caller must call.
  public var calledAETitle: String
  /// AE titles that may call; empty admits all.
  public var callingAETitles: [String] = []
  /// SOP classes of C-STORE that are accepted.
  public var sopClasses: [String]
  /// Their transfer syntaxes, the preferred one first.
  public var transferSyntaxes: [String]
  public var maximumAssociations = 16
  /// Seconds that a caller has to send its association request.
  public var requestTimeout = 5
  /// Seconds of silence after which an association is aborted.
  public var idleTimeout = 120

  public init(calledAETitle: String, sopClasses: [String], transferSyntaxes: [String]) {
    self.calledAETitle = calledAETitle
    self.sopClasses = sopClasses
    self.transferSyntaxes = transferSyntaxes
  }

  /// Every transfer syntax whose pixels are decoded (PS3.5 10 and A), the preferred one first.
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
