import Cryptography
import DICOM
import Foundation

/// What the series of a result is called, after the series that it was made from.
struct SeriesNaming {
  static let label = " (research use only)"
  /// Most characters of LO (PS3.5 6.2).
  private static let maximumLength = 64
  /// What a model's name and the kind may have of them, next to the name of the source and alone.
  private static let modelLength = (next: 30, alone: 44)

  let source: Dataset
  let modelName: String
  let modelVersion: String
  /// What kind of object the series has, in words; empty for a segmentation.
  var kind = ""

  private var suffix: String { kind.isEmpty ? "" : " \(kind)" }

  /// Series Description (0008,103E): that of the source, the model, the kind of object and that it is for
  /// research, in the source's character set. The source's and the model's names are cut where all of it is too
  /// long, and never the kind, by which the results of one model differ.
  var description: DataElement {
    var stored: [UInt8] = []
    if case .text(let bytes) = source[.seriesDescription]?.value { stored = bytes }
    let text = EncodedText(stored, characterSet: source.texts(.specificCharacterSet))
    guard !text.isEmpty else {
      let name = ownName(Self.modelLength.alone) + Self.label
      return DataElement(.LO, .text(Array(name.utf8)))
    }
    let end = ownName(Self.modelLength.next) + Self.label
    let room = Self.maximumLength - end.utf8.count - 3
    return DataElement(.LO, .text(text.prefix(room) + text.dash + Array(end.utf8)))
  }

  private func ownName(_ length: Int) -> String {
    PlainText.ascii(modelName, to: length, suffix: suffix)
  }

  /// Series Number (0020,0011): a thousand times that of the source, and a number from 1 to 999 of the model,
  /// its version and the kind of object, so that results of several series and models are next to their sources
  /// and differ.
  var number: Int {
    let own = source.integer(.seriesNumber).flatMap { (1...2_000_000).contains($0) ? $0 : nil } ?? 0
    let digest = Array(SHA256.hash(data: Data("\(modelName)\(suffix) \(modelVersion)".utf8)))
    return 1000 * own + 1 + (Int(digest[0]) << 8 | Int(digest[1])) % 999
  }
}
