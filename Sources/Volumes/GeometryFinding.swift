/// Something that the gate found in a series: a problem that holds it, a repair, or a note.
public struct GeometryFinding: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  /// What was found; stable names, fit for a ledger's column or a metric's label.
  public enum Kind: String, Sendable, Equatable, Codable, CaseIterable {
    case noImages, blankUID, notMeasured, pixelFormat, notHounsfieldUnits
    case missingGeometry, invalidGeometry
    case severalSeries, severalPatients, severalFramesOfReference, severalModalities
    case severalLateralities, severalRescaleTypes
    case severalImageSizes, severalPixelSpacings, severalOrientations, severalVolumes
    case noFrameOfReference, duplicateInstance, duplicatePositions
    case tooFewSlices, missingSlices, unevenSpacing, slicesOffLine, tilted
    case incomplete, unreadable
  }

  public var kind: Kind
  /// The finding with the attribute, its value and the instances; without patient data.
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}

/// A UID for a message: text that is no UID (PS3.5 section 9.1) is not repeated.
func shown(uid: String) -> String {
  if uid.isEmpty { return "(blank)" }
  return isUID(uid) ? uid : "(not a UID)"
}

/// Whether the text is a UID: components of digits, 64 characters in all (PS3.5 section 9.1).
func isUID(_ text: String) -> Bool {
  guard !text.isEmpty, text.utf8.count <= 64 else { return false }
  return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { component in
    !component.isEmpty && component.utf8.allSatisfy { (48...57).contains($0) }
  }
}

/// An instance, and its frame or mosaic tile where it has several, for a message.
func shown(_ frame: ImageFrame) -> String {
  let uid = shown(uid: frame.sopInstanceUID)
  if let tile = frame.mosaicTile { return "\(uid) tile \(tile.index + 1)" }
  return frame.frameNumber.map { "\(uid) frame \($0)" } ?? uid
}

/// The first few instances and how many there are, for a message.
func shown(_ frames: [ImageFrame]) -> String {
  let first = frames.prefix(3).map(shown).joined(separator: ", ")
  return frames.count > 3 ? "\(first) and \(frames.count - 3) more" : first
}

/// A text value of a file for a message: printable characters only, and not too many.
func shown(value: String) -> String {
  let printable = value.unicodeScalars.filter { (32...126).contains($0.value) }
  return "\"" + String(String.UnicodeScalarView(printable.prefix(64))) + "\""
}

/// A value that must not be read, such as a patient's name, as a number that only tells it from
/// others: the hash is keyed anew in each process, so that no value can be guessed from it.
func shown(hidden value: String) -> String {
  value.isEmpty
    ? "(blank)" : "hash " + String(UInt32(truncatingIfNeeded: value.hashValue), radix: 16)
}

/// "1 image", "2 images".
func counted(_ count: Int, _ noun: String) -> String {
  count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}

/// A number in mm or degrees with at most four decimals.
func shown(_ number: Double) -> String {
  guard number.isFinite, abs(number) < 1e9 else { return "\(number)" }
  return "\((number * 10_000).rounded() / 10_000)"
}
