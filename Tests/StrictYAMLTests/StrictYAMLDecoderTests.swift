import Foundation
import StrictYAML
import TestSupport
import Testing

/// A document with a mapping in a list, both strict.
private struct Shelf: Decodable, Equatable {
  struct Book: Decodable, Equatable {
    var title: String
    var pages: Int

    enum CodingKeys: String, CodingKey, CaseIterable { case title, pages }

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      title = try values.decode(String.self, forKey: .title)
      pages = try values.decode(Int.self, forKey: .pages)
    }
  }

  var books: [Book]

  enum CodingKeys: String, CodingKey, CaseIterable { case books }

  init(from decoder: any Decoder) throws {
    books = try decoder.strictContainer(keyedBy: CodingKeys.self)
      .decode([Book].self, forKey: .books)
  }
}

@Suite struct StrictYAMLDecoderTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("shelf.yaml").path }

  init() throws { folder = try TemporaryFolder() }

  private func decode(_ text: String) throws(YAMLFileError) -> Shelf {
    #expect(FileManager.default.createFile(atPath: file, contents: Data(text.utf8)))
    return try StrictYAMLDecoder().decode(Shelf.self, file: file)
  }

  private func fault(_ text: String) -> YAMLFileError? {
    do {
      _ = try decode(text)
      return nil
    } catch { return error }
  }

  @Test func aDocumentOfKnownKeysIsDecoded() throws {
    let shelf = try decode("books:\n  - title: a\n    pages: 3\n")
    #expect(shelf.books.map(\.pages) == [3])
  }

  /// The line is that of the key, however deep it is.
  @Test func anUnknownKeyIsNamedWithItsLineAndTheKnownOnes() {
    let found = fault("books:\n  - title: a\n    pages: 3\n  - title: b\n    colour: red\n")
    #expect(
      found
        == .invalid(
          file: file, line: 5, message: "unknown key \"colour\" (known here: title, pages)"))
    #expect(found?.description.hasPrefix("\(file):5: ") == true)
  }

  @Test func aValueOfAnotherTypeIsNamedWithItsLine() {
    guard case .invalid(_, let line, let message) = fault("books:\n  - title: a\n    pages: many\n")
    else {
      Issue.record("no fault")
      return
    }
    #expect(line == 3)
    #expect(message.contains("pages"))
  }

  @Test func aMissingKeyIsNamedWithThePlaceWhereItIsMissing() {
    let found = fault("books:\n  - title: a\n    pages: 1\n  - pages: 2\n")
    guard case .invalid(_, let line, let message) = found else {
      Issue.record("no fault")
      return
    }
    #expect(line == 4)
    #expect(message.hasSuffix("title is missing"))
  }

  @Test func aPlaceInAListIsNamedByItsNumber() {
    #expect(
      fault("books:\n  - title: a\n    pages: 1\n  - title: b\n    pages: many\n")
        == .invalid(
          file: file, line: 5, message: "books[1].pages: this is not a whole number"))
  }

  @Test func aKeyThatIsThereTwiceIsNamedWithItsLine() {
    #expect(
      fault("books:\n  - title: a\n    pages: 1\n    title: b\n")
        == .invalid(file: file, line: 4, message: "the key \"title\" is there twice"))
    #expect(
      fault("books:\n  - {title: a, pages: 1, title: b}\n")
        == .invalid(file: file, line: 2, message: "the key \"title\" is there twice"))
  }

  @Test func whatIsNoYAMLIsRefused() {
    guard case .invalid(file, _, _) = fault("books: [\n") else {
      Issue.record("no fault")
      return
    }
  }

  @Test func aFileThatIsNotThereIsUnreadable() {
    #expect(throws: YAMLFileError.self) {
      try StrictYAMLDecoder().decode(Shelf.self, file: folder.url.path + "/none.yaml")
    }
  }
}
