import Foundation

/// A text of a page that may name commands: their options and names of files are not broken at a hyphen or slash.
struct ShownText {
  struct Piece {
    var text: String
    /// Whether it stays on one line.
    var isWhole: Bool
  }

  /// The text, from its beginning to its end.
  private(set) var pieces: [Piece] = []

  /// As many characters fit next to each other on a phone.
  private static let longestWhole = 32

  init(_ text: String) {
    for (index, word) in text.components(separatedBy: " ").enumerated() {
      if index > 0 { append(Piece(text: " ", isWhole: false)) }
      let isWhole = word.count <= Self.longestWhole && word.contains { $0 == "-" || $0 == "/" }
      append(Piece(text: word, isWhole: isWhole))
    }
  }

  private mutating func append(_ piece: Piece) {
    if let last = pieces.indices.last, !pieces[last].isWhole, !piece.isWhole {
      pieces[last].text += piece.text
    } else {
      pieces.append(piece)
    }
  }
}

/// A text whose long UIDs are cut to their ends, as in a row of a table: the whole is a tooltip.
struct CompactText {
  var text: String
  /// Nil where nothing was cut.
  var whole: String?

  init(_ text: String) {
    self.text = text.replacing(/[0-2](?:\.[0-9]+){3,}/) { shortened(String($0.output)) }
    whole = self.text == text ? nil : text
  }
}
