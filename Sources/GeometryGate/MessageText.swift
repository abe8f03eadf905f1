import Volumes

/// A UID for a message: text that is no UID (PS3.5 section 9.1) is not repeated.
func formatted(uid: String) -> String {
  if uid.isEmpty { return "(blank)" }
  return isUID(uid) ? uid : "(not a UID)"
}

/// An instance, and its frame or mosaic tile where it has several, for a message.
func formatted(_ frame: ImageFrame) -> String {
  let uid = formatted(uid: frame.sopInstanceUID)
  if let tile = frame.mosaicTile { return "\(uid) tile \(tile.index + 1)" }
  return frame.frameNumber.map { "\(uid) frame \($0)" } ?? uid
}

/// The first few instances and how many there are, for a message.
func formatted(_ frames: [ImageFrame]) -> String {
  let first = frames.prefix(3).map(formatted).joined(separator: ", ")
  return frames.count > 3 ? "\(first) and \(frames.count - 3) more" : first
}

/// A text value of a file for a message: printable characters only, and not too many.
func formatted(value: String) -> String {
  "\"\(printable(value))\""
}

/// A value that must not be read, such as a patient's name, as a number that only tells it from
/// others: the hash is keyed anew in each process, so that no value can be guessed from it.
func formatted(hidden value: String) -> String {
  value.isEmpty
    ? "(blank)" : "hash " + String(UInt32(truncatingIfNeeded: value.hashValue), radix: 16)
}

/// A number in mm or degrees with at most four decimals.
func formatted(_ number: Double) -> String {
  formatted(number, decimals: 4)
}

/// Values as DICOM writes them, one backslash between two.
func numbers(_ values: [Double]) -> String {
  values.map { formatted($0) }.joined(separator: "\\")
}

/// A value of a file cut to printable characters.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.filter { (32...126).contains($0.value) }.prefix(64))
  )
}

/// Without the padding of DICOM text: spaces and null characters at either end.
func trimmed(_ text: String) -> String {
  let isSpace = { (c: Character) in c == " " || c == "\0" }
  return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
}
