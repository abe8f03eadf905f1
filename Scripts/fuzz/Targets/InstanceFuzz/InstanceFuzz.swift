import DICOM
import Foundation
import FuzzSupport
import GeometryGate
import SeriesReading

/// Transfer syntaxes in which a dataset that breaks off is read without its file meta information.
private let syntaxes = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"]

/// Reads what libFuzzer makes as every entrance reads an instance: identity and hash, what is known
/// of a damaged file, the facts of its series, geometry, and the pixels of the first frames.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  guard let path = scratchFile(bytes, ending: ".dcm") else { return 0 }
  let identity = try? ImageIdentity.readWithHash(path, named: path)
  if let identity { precondition(identity.byteCount == count, "the hash is not of the whole file") }
  let held = try? ImageIdentity.readWithHash(path, named: path, held: Data(bytes))
  precondition(held?.identity == identity?.identity && held?.hash == identity?.hash)
  _ = PartialIdentity(ofDamaged: path)
  for syntax in syntaxes {
    _ = PartialIdentity(ofDamaged: Data(bytes), transferSyntaxUID: syntax)
    // As what a peer sends within a message.
    _ = try? Dataset(message: Data(bytes), transferSyntaxUID: syntax, name: path)
  }
  for frame in (try? DICOMFile(path: path).imageFrames())?.prefix(2) ?? [] {
    _ = try? PixelReader.digest(of: frame)
  }
  guard let scan = try? InputScan([path], takesEverything: true) else { return 0 }
  for files in scan.series {
    _ = try? SourceSeries(files, geometry: GeometryRules())
  }
  return 0
}
