/// Bytes of a header that are parsed in place of the file's.
struct HeaderReplacement: Sendable, Equatable {
  var offset: Int
  var bytes: [UInt8]
}
