/// The transfer syntaxes that are read (PS3.5 annex A), by UID.
///
/// Deflated (1.2.840.10008.1.2.1.99) is left out on purpose: a few megabytes may inflate to
/// gigabytes.
public enum TransferSyntax: String, Sendable, CaseIterable {
  case implicitLittleEndian = "1.2.840.10008.1.2"
  case explicitLittleEndian = "1.2.840.10008.1.2.1"
  case explicitBigEndian = "1.2.840.10008.1.2.2"
  case jpegBaseline = "1.2.840.10008.1.2.4.50"
  case jpegExtended = "1.2.840.10008.1.2.4.51"
  case jpegLossless = "1.2.840.10008.1.2.4.57"
  case jpegLosslessFirstOrder = "1.2.840.10008.1.2.4.70"
  case jpegLSLossless = "1.2.840.10008.1.2.4.80"
  case jpegLSNearLossless = "1.2.840.10008.1.2.4.81"
  case jpeg2000Lossless = "1.2.840.10008.1.2.4.90"
  case jpeg2000 = "1.2.840.10008.1.2.4.91"
  case runLength = "1.2.840.10008.1.2.5"

  /// How frames are coded in the pixel data.
  enum Coding { case none, jpeg, jpegLS, jpeg2000, runLength }

  var coding: Coding {
    switch self {
    case .implicitLittleEndian, .explicitLittleEndian, .explicitBigEndian: .none
    case .jpegBaseline, .jpegExtended, .jpegLossless, .jpegLosslessFirstOrder: .jpeg
    case .jpegLSLossless, .jpegLSNearLossless: .jpegLS
    case .jpeg2000Lossless, .jpeg2000: .jpeg2000
    case .runLength: .runLength
    }
  }

  var isExplicit: Bool { self != .implicitLittleEndian }
  var isBigEndian: Bool { self == .explicitBigEndian }
}
