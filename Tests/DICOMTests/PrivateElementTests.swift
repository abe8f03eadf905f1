import Foundation
import TestSupport
import Testing

@testable import DICOM

/// Private elements that are not coded as they should be: what is around them is read, or the file
/// is refused with tag and bytes.
@Suite struct PrivateElementTests {
  typealias Coding = ElementBytes.Coding

  static let creator = Tag(0x0029, 0x0010)
  static let vendors = Tag(0x0029, 0x1001)

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A dataset with `bad` between two elements that must be read.
  private func dataset(_ coding: Coding, _ bad: [UInt8]) -> ElementBytes {
    var elements = ElementBytes(coding)
    elements.append(.modality, "CS", "MR")
    elements.append(Self.creator, "LO", "VENDOR")
    elements.bytes += bad
    elements.append(.contentLabel, "CS", "LABEL")
    elements.append(.pixelData, "OW", [1, 0])
    return elements
  }

  private func expectRead(_ path: String, _ comment: Comment) throws {
    let file = try DICOMFile(path: path)
    #expect(file.dataset.text(.modality) == "MR", comment)
    #expect(file.dataset.text(Self.creator) == "VENDOR", comment)
    #expect(file.dataset.text(.contentLabel) == "LABEL", comment)
    #expect(file.dataset[Self.vendors] == nil, comment)
    #expect(file.structure.pixelData?.native?.count == 2, comment)
  }

  /// Elements of a vendor that no reader of `coding` expects.
  private static func bad(_ coding: Coding) -> [(name: String, bytes: [UInt8])] {
    coding == .implicit ? badImplicit() : badExplicit(coding)
  }

  private static func badImplicit() -> [(name: String, bytes: [UInt8])] {
    var found: [(String, [UInt8])] = []
    func add(_ name: String, _ fill: (inout ElementBytes) -> Void) {
      found.append((name, elements(.implicit, fill)))
    }
    var explicitItem = ElementBytes(.explicit)
    explicitItem.append(.codeValue, "SH", "X")
    add("explicit within implicit") {
      $0.append(vendors)
      $0.bytes += Array("LO".utf8) + [4, 0] + Array("abcd".utf8)
    }
    add("explicit sequence within implicit") {
      $0.append(vendors)
      $0.bytes += Array("SQ".utf8) + [0, 0]
      $0.append(ElementBytes.undefined, size: 4)
      $0.bytes += ElementBytes.item(explicitItem)
    }
    add("explicit items") {
      $0.append(vendors, "SQ", length: ElementBytes.undefined)
      $0.bytes += ElementBytes.item(explicitItem)
    }
    return found
  }

  private static func badExplicit(_ coding: Coding) -> [(name: String, bytes: [UInt8])] {
    var found: [(String, [UInt8])] = []
    func add(_ name: String, _ fill: (inout ElementBytes) -> Void) {
      found.append((name, elements(coding, fill)))
    }
    var implicitItem = ElementBytes(.implicit)
    implicitItem.append(.codeValue, "SH", "X")
    for length in [0, 1, 2, 3, 4, 10] {
      add("no VR, \(length) bytes") {
        $0.append(vendors)
        $0.append(length, size: 4)
        $0.bytes += Array("abcdefghij".utf8.prefix(length))
      }
    }
    add("no VR twice") {
      for element: UInt16 in [0x1001, 0x1002] {
        $0.append(Tag(0x0029, element))
        $0.append(4, size: 4)
        $0.bytes += Array("abcd".utf8)
      }
    }
    add("no VR, undefined length") {
      $0.append(vendors)
      $0.append(ElementBytes.undefined, size: 4)
      $0.bytes += ElementBytes.item(implicitItem)
    }
    add("unknown VR of short form") {
      $0.append(vendors)
      $0.bytes += Array("xs".utf8)
      $0.append(6, size: 2)
      $0.bytes += Array("abcdef".utf8)
    }
    add("unknown VR of long form") {
      $0.append(vendors)
      $0.bytes += Array("ZZ".utf8) + [0, 0]
      $0.append(6, size: 4)
      $0.bytes += Array("abcdef".utf8)
    }
    add("fragments") {
      $0.append(vendors, "OB", length: ElementBytes.undefined)
      $0.delimiter(0xE000)
      $0.delimiter(0xE000, length: 2)
      $0.bytes += [1, 2]
      $0.delimiter(0xE0DD)
    }
    add("a sequence of other bytes") { $0.append(vendors, "SQ", Array("no items here".utf8)) }
    return found
  }

  private static func elements(
    _ coding: Coding, _ fill: (inout ElementBytes) -> Void
  ) -> [UInt8] {
    var elements = ElementBytes(coding)
    fill(&elements)
    return elements.bytes
  }

  @Test(arguments: Coding.allCases) func badPrivateElementsAreSkipped(coding: Coding) throws {
    for (name, bytes) in Self.bad(coding) {
      try expectRead(dataset(coding, bytes).file(in: folder), "\(coding), \(name)")
    }
  }

  @Test(arguments: Coding.allCases) func theySkipWithinSequencesToo(coding: Coding) throws {
    for (name, bytes) in Self.bad(coding) {
      for isUndefined in [true, false] {
        var item = ElementBytes(coding)
        item.append(.codeValue, "SH", "BEFORE")
        item.bytes += bytes
        item.append(Tag(0x0040, 0xA160), "UT", "AFTER")
        var sequence = ElementBytes(coding)
        if isUndefined {
          sequence.sequence(.segmentSequence, "SQ", item: item)
        } else {
          var items = ElementBytes(coding)
          items.delimiter(0xE000, length: item.bytes.count)
          sequence.append(.segmentSequence, "SQ", items.bytes + item.bytes)
        }
        let comment: Comment = "\(coding), \(name), undefined length \(isUndefined)"
        var elements = ElementBytes(coding)
        elements.append(.modality, "CS", "MR")
        elements.bytes += sequence.bytes
        elements.append(.pixelData, "OW", [1, 0])
        let read = try DICOMFile(path: elements.file(in: folder)).dataset
        let found = try #require(read.items(.segmentSequence).first, comment)
        #expect(found.text(.codeValue) == "BEFORE", comment)
        #expect(found.text(Tag(0x0040, 0xA160)) == "AFTER", comment)
        #expect(found[Self.vendors] == nil, comment)
      }
    }
  }

  /// Nothing is lost where items are of the other coding: standard or private, they are read.
  @Test func itemsOfTheOtherCodingAreRead() throws {
    for (vr, coding) in [("UN", Coding.explicit), ("SQ", .implicit)] {
      for tag in [Tag.segmentSequence, Self.vendors] {
        var item = ElementBytes(coding)
        item.append(.codeValue, "SH", "CODE")
        var elements = ElementBytes(.explicit)
        elements.append(.modality, "CS", "MR")
        if tag.isPrivate { elements.append(Self.creator, "LO", "VENDOR") }
        elements.sequence(tag, vr, item: ElementBytes(.explicit))
        elements.bytes.removeLast(24)
        elements.bytes += ElementBytes.item(item)
        elements.append(.contentLabel, "CS", "LABEL")
        let read = try DICOMFile(path: elements.file(in: folder)).dataset
        #expect(read.items(tag).first?.text(.codeValue) == "CODE", "\(vr) \(tag)")
        #expect(read.text(.contentLabel) == "LABEL", "\(vr) \(tag)")
      }
    }
  }

  @Test func whatIsPrivateAndRightIsKept() throws {
    for coding in Coding.allCases {
      var good = ElementBytes(coding)
      good.append(Self.vendors, "LO", "VALUE")
      let read = try DICOMFile(path: dataset(coding, good.bytes).file(in: folder)).dataset
      #expect(read.text(Self.vendors) == "VALUE", "\(coding)")
    }
  }

  @Test func standardElementsOfBadCodingAreRefusedWithTheirBytes() throws {
    var elements = ElementBytes(.explicit)
    elements.append(.modality, "CS", "MR")
    elements.append(.seriesNumber)
    elements.bytes += [4, 0, 0, 0, 0x31, 0x20, 0x20, 0x20]
    elements.append(.rows, words: 7)
    let path = try elements.file(in: folder)
    #expect(
      throws: DICOMError.malformed(
        file: path, tag: .seriesNumber, reason: "unknown value representation (bytes 04 00)")
    ) { try DICOMFile(path: path) }
  }

  /// Nothing that follows shows where these end.
  @Test func anUncertainEndIsRefused() throws {
    let beginning = Array("abcdefgh".utf8)
    for length in [2, 0x4000_0000] {
      var bad = ElementBytes(.explicit)
      bad.append(Self.vendors)
      bad.append(length, size: 4)
      let path = try dataset(.explicit, bad.bytes + beginning).file(in: folder)
      #expect(
        throws: DICOMError.malformed(
          file: path, tag: Self.vendors,
          reason: "unknown value representation (bytes \(length == 2 ? "02 00" : "00 00"))")
      ) { try DICOMFile(path: path) }
    }
  }

  /// Each level could be tried in two codings: the number of trials must stay bounded.
  @Test(.timeLimit(.minutes(20))) func nestingWithoutEndIsRefusedSoon() throws {
    for vr in ["UN", "SQ"] {
      var elements = ElementBytes(.explicit)
      elements.append(.modality, "CS", "MR")
      for _ in 0..<60 {
        elements.append(Self.vendors, vr, length: ElementBytes.undefined)
        elements.delimiter(0xE000, length: ElementBytes.undefined)
        elements.coding =
          vr == "UN" ? .implicit : elements.coding == .implicit ? .explicit : .implicit
      }
      elements.bytes += [1, 2, 3, 4]
      let path = try elements.file(in: folder)
      #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
    }
  }
}
