import DICOM
import TestSupport
import Testing
import Volumes

/// What tells the images of one position apart, as read from a file.
@Suite struct DiscriminatorTests {
  @Test func scanOptionsAndPercentageOfTheHeartCycleAreRead() throws {
    let folder = try TemporaryFolder()
    var dataset = Phantom.slice(pixels: [Int16](repeating: 0, count: 24))
    dataset.set(.scanOptions, .CS, ["FS", "PFF"])
    dataset.set(.nominalPercentageOfCardiacPhase, .FD, reals: [37.5])
    let path = try Phantom.write(dataset, "image.dcm", in: folder)
    let frame = try #require(DICOMFile(path: path).imageFrames().first)
    #expect(frame.scanOptions == ["FS", "PFF"])
    #expect(frame.nominalPercentageOfCardiacPhase == 37.5)
    #expect(frame.cardiacPhase == nil)
  }
}
