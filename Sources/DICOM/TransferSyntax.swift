/// The transfer syntaxes that are read (PS3.5 annex A), by UID.
public enum TransferSyntax: String, Sendable, CaseIterable {
  case implicitLittleEndian = "1.2.840.10008.1.2"
  case explicitLittleEndian = "1.2.840.10008.1.2.1"
  /// The dataset inflates to ``DICOMFile/maximumInflatedSize`` at most.
  case deflatedExplicitLittleEndian = "1.2.840.10008.1.2.1.99"
  case explicitBigEndian = "1.2.840.10008.1.2.2"
  case jpegBaseline = "1.2.840.10008.1.2.4.50"
  case jpegExtended = "1.2.840.10008.1.2.4.51"
  case jpegLossless = "1.2.840.10008.1.2.4.57"
  case jpegLosslessFirstOrder = "1.2.840.10008.1.2.4.70"
  case jpegLSLossless = "1.2.840.10008.1.2.4.80"
  case jpegLSNearLossless = "1.2.840.10008.1.2.4.81"
  case jpeg2000Lossless = "1.2.840.10008.1.2.4.90"
  case jpeg2000 = "1.2.840.10008.1.2.4.91"
  case highThroughputJPEG2000Lossless = "1.2.840.10008.1.2.4.201"
  case highThroughputJPEG2000RPCLLossless = "1.2.840.10008.1.2.4.202"
  case highThroughputJPEG2000 = "1.2.840.10008.1.2.4.203"
  case runLength = "1.2.840.10008.1.2.5"

  /// How frames are coded in the pixel data.
  enum Coding { case none, jpeg, jpegLS, jpeg2000, runLength }

  var coding: Coding {
    switch self {
    case .implicitLittleEndian, .explicitLittleEndian, .deflatedExplicitLittleEndian,
      .explicitBigEndian:
      .none
    case .jpegBaseline, .jpegExtended, .jpegLossless, .jpegLosslessFirstOrder: .jpeg
    case .jpegLSLossless, .jpegLSNearLossless: .jpegLS
    case .jpeg2000Lossless, .jpeg2000, .highThroughputJPEG2000Lossless,
      .highThroughputJPEG2000RPCLLossless, .highThroughputJPEG2000:
      .jpeg2000
    case .runLength: .runLength
    }
  }

  /// Whether pixels always lose something in it (PS3.5 A.4). JPEG 2000 may be lossless in its lossy transfer
  /// syntax too.
  public var isLossy: Bool {
    switch self {
    case .jpegBaseline, .jpegExtended, .jpegLSNearLossless: true
    default: false
    }
  }

  /// How the elements of a dataset are coded (PS3.5 A.1 to A.5), whatever its pixels are.
  var elementCoding: TransferSyntax {
    switch self {
    case .implicitLittleEndian, .explicitBigEndian: self
    default: .explicitLittleEndian
    }
  }

  var isExplicit: Bool { self != .implicitLittleEndian }
  var isBigEndian: Bool { self == .explicitBigEndian }

  /// Whether DCMTK 3.6.7 must not see the UID: it inflates without bound, sends deflated objects for
  /// ever, and does not know high-throughput JPEG 2000.
  package var isUnsupportedByDCMTK: Bool {
    switch self {
    case .deflatedExplicitLittleEndian, .highThroughputJPEG2000Lossless,
      .highThroughputJPEG2000RPCLLossless, .highThroughputJPEG2000:
      true
    default: false
    }
  }
}
