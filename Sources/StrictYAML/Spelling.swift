/// What a misspelled word was probably meant to be.
enum Spelling {
  /// "; did you mean "listener"?", or nothing where no known word is near.
  static func question(_ word: String, _ known: [String]) -> String {
    nearest(to: word, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
  }

  /// The known word that the fewest letters distinguish, at most one in three; nil where there is none.
  static func nearest(to word: String, among known: [String]) -> String? {
    let letters = Array(word.lowercased())
    let found = known.map { (word: $0, distance: distance(letters, Array($0.lowercased()))) }
      .min { $0.distance < $1.distance }
    guard let found, found.distance <= max(1, letters.count / 3) else { return nil }
    return found.word
  }

  /// Letters to insert, remove, replace or exchange with the next one (optimal string alignment).
  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var rows = [Array(0...b.count)]
    for (i, letter) in a.enumerated() {
      var row = [i + 1]
      for (j, other) in b.enumerated() {
        var least = min(
          rows[i][j] + (letter == other ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, letter == b[j - 1], a[i - 1] == other {
          least = min(least, rows[i - 1][j - 1] + 1)
        }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
