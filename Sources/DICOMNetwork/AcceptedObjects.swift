import DICOM

/// What the listener accepts.
public enum AcceptedObjects {
  /// CT and MR image storage, classic, enhanced and legacy converted (PS3.4 B.5).
  public static let sopClasses = ImageStorage.sopClasses

  /// Transfer syntaxes (PS3.5 10 and A), the preferred one first.
  public static let transferSyntaxes = [
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
