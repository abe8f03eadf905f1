/// What `segmentd run --json` says of a series and its memory, in bytes.
struct RunMemoryReport: Decodable {
  struct Memory: Decodable {
    var predicted: Int
    var peak: Int
  }
  var state: String
  var reasons: [String]
  var memory: Memory?
}
