import DICOM
import Foundation
import Results
import TestSupport
import Testing

/// One thing that is wrong in a written object.
struct WrittenFault: CustomTestStringConvertible, Sendable {
  /// How it gets there.
  enum Change: Sendable {
    /// In the dataset and the bits of the pixels, which are written again.
    case object(@Sendable (inout Dataset, inout [UInt8]) -> Void)
    /// In the bytes of the file.
    case file(@Sendable (inout Data) -> Void)
  }

  var what: String
  /// What the error must name.
  var says: String
  var change: Change
  var testDescription: String { what }

  private init(_ what: String, _ says: String, _ change: Change) {
    (self.what, self.says, self.change) = (what, says, change)
  }

  /// A fault that the proof finds at an attribute.
  static func at(
    _ tag: DICOM.Tag, _ what: String, _ change: @escaping @Sendable (inout Dataset) -> Void
  ) -> WrittenFault {
    WrittenFault(what, "\(tag)", .object { dataset, _ in change(&dataset) })
  }

  static func bits(
    _ what: String, says: String,
    _ change: @escaping @Sendable (inout Dataset, inout [UInt8]) -> Void
  ) -> WrittenFault { WrittenFault(what, says, .object(change)) }

  /// A fault that is found where what the proof says is said.
  static func dataset(
    _ what: String, says: String, _ change: @escaping @Sendable (inout Dataset) -> Void
  ) -> WrittenFault { WrittenFault(what, says, .object { dataset, _ in change(&dataset) }) }

  private static func hasPixels(_ path: String) -> Bool {
    (try? DICOMFile(path: path))?.dataset.contains(.bitsAllocated) == true
  }

  static func file(
    _ what: String, _ tag: DICOM.Tag, _ change: @escaping @Sendable (inout Data) -> Void
  ) -> WrittenFault { WrittenFault(what, "\(tag)", .file(change)) }

  /// A text of another value, of a frame or the whole object.
  static func text(_ tag: DICOM.Tag, _ vr: VR, _ text: String) -> WrittenFault {
    .at(tag, "another \(tag)") { $0.set(tag, vr, text) }
  }

  /// What may be wrong in pixels of a byte each, of frames of 45.
  static let ofBytes: [WrittenFault] = [
    .bits("two frames swapped", says: "voxels differ") { _, pixels in
      let (first, second) = (Array(pixels[0..<45]), Array(pixels[45..<90]))
      pixels.replaceSubrange(0..<90, with: second + first)
    },
    .bits("pixel data that is cut off", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      pixels.removeLast(2)
    },
    .bits("a frame more", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      pixels += [UInt8](repeating: 0, count: 46)
    },
  ]

  /// Expects that an object does not prove once the fault is in it, and that the error names it.
  func expectFound(in object: some ResultObject, at path: String) throws {
    #expect(try object.write(to: path) == .written)
    try inject(into: path)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    #expect(error?.reason.contains(says) == true, "\(error as Any)")
  }

  func inject(into path: String) throws {
    switch change {
    case .object(let change) where !Self.hasPixels(path):
      var (dataset, pixels) = (try DICOMFile(path: path).dataset, [UInt8]())
      change(&dataset, &pixels)
      try dataset.write(to: path)
    case .object(let change):
      var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
      change(&dataset, &pixels)
      dataset.set(.pixelData, .OB, bytes: pixels)
      try dataset.write(to: path)
    case .file(let change):
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      change(&bytes)
      try bytes.write(to: URL(fileURLWithPath: path))
    }
  }
}

extension Dataset {
  /// Changes an item of a sequence.
  mutating func change(
    _ index: Int, of sequence: DICOM.Tag, _ body: (inout Dataset) -> Void
  ) {
    var items = items(sequence)
    body(&items[index])
    set(sequence, items)
  }

  mutating func changeFrame(_ index: Int, _ body: (inout Dataset) -> Void) {
    change(index, of: .perFrameFunctionalGroups, body)
  }

  /// Changes the one item of a functional group that all frames share.
  mutating func changeShared(_ group: DICOM.Tag, _ body: (inout Dataset) -> Void) {
    change(0, of: .sharedFunctionalGroups) { $0.change(0, of: group, body) }
  }
}
