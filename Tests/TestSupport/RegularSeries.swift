import Volumes

/// A regular CT series of axial slices 2.5 mm apart.
public func regularSeries(slices: Int = 8) -> [ImageFrame] {
  (0..<slices).map { index in
    var frame = ImageFrame()
    frame.sopClassUID = "1.2.840.10008.5.1.4.1.1.2"
    frame.sopInstanceUID = "1.2.3.\(index + 1)"
    frame.studyInstanceUID = "1.2.3.100"
    frame.seriesInstanceUID = "1.2.3.200"
    frame.frameOfReferenceUID = "1.2.3.300"
    frame.patientID = "secret-patient"
    frame.modality = "CT"
    frame.imageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    frame.instanceNumber = slices - index
    frame.rows = 28
    frame.columns = 64
    frame.photometricInterpretation = "MONOCHROME2"
    frame.bitsAllocated = 16
    frame.bitsStored = 12
    frame.highBit = 11
    frame.imageOrientation = [1, 0, 0, 0, 1, 0]
    frame.imagePosition = [-100, -120, 30 + 2.5 * Double(index)]
    frame.pixelSpacing = [4, 6.4]
    frame.sliceThickness = 5
    return frame
  }
}
