import DICOM

extension Dataset {
  /// An axial image of 4 × 4 voxels of 1 mm.
  ///
  /// - Parameters:
  ///   - instance: its SOP Instance UID.
  ///   - z: its place, in mm.
  ///   - bytes: each of its pixel data.
  static func axialImage(
    _ instance: String, sopClass: String, study: String, series: String, modality: String, z: Int,
    bytes: UInt8 = 0
  ) -> Dataset {
    var image = Dataset()
    image.set(.sopClassUID, .UI, sopClass)
    image.set(.sopInstanceUID, .UI, instance)
    image.set(.studyInstanceUID, .UI, study)
    image.set(.seriesInstanceUID, .UI, series)
    image.set(.modality, .CS, modality)
    image.set(.imageOrientation, .DS, "1\\0\\0\\0\\1\\0")
    image.set(.imagePosition, .DS, ["0", "0", "\(z)"])
    image.set(.frameOfReferenceUID, .UI, "\(study).1")
    image.set(.pixelSpacing, .DS, "1\\1")
    for (tag, value) in [
      (DICOM.Tag.rows, 4), (.columns, 4), (.samplesPerPixel, 1), (.bitsAllocated, 16),
      (.bitsStored, 12), (.highBit, 11), (.pixelRepresentation, 0),
    ] { image.set(tag, .US, value) }
    image.set(.photometricInterpretation, .CS, "MONOCHROME2")
    image.set(.pixelData, .OW, bytes: [UInt8](repeating: bytes, count: 32))
    return image
  }
}
