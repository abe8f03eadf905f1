import DICOM
import Foundation

/// Gathers files by their series; a damaged one counts to the series that it still names, so that
/// the series is not assessed as if the file had never been there.
struct SeriesSorter {
  private var files: [String: [URL]] = [:]
  private var order: [String] = []
  private var others: [(uid: String, file: URL, error: ImageRefusal)] = []
  private var damaged: [(uid: String, file: URL, error: ImageRefusal)] = []
  /// What belongs to no series.
  private(set) var refused: [ImageRefusal] = []

  mutating func add(_ file: URL, to uid: String) {
    if files[uid] == nil { order.append(uid) }
    files[uid, default: []].append(file)
  }

  mutating func add(damaged file: URL, _ error: ImageRefusal) {
    if case .notAnImage = error,
      let uid = PartialIdentity(ofDamaged: file.path).seriesInstanceUID
    {
      others.append((uid, file, error))
    } else if case .unreadable = error,
      let uid = PartialIdentity(ofDamaged: file.path).seriesInstanceUID
    {
      damaged.append((uid, file, error))
    } else {
      refused.append(error)
    }
  }

  /// - Parameter withDamagedAlone: whether a series of damaged files alone, or of objects that are no
  ///   images, is one too.
  mutating func series(withDamagedAlone: Bool) -> [SeriesFiles] {
    for (uid, file, error) in damaged {
      if files[uid] != nil || withDamagedAlone { add(file, to: uid) } else { refused.append(error) }
    }
    let ofImages = Set(files.keys)
    for (uid, file, error) in others {
      if withDamagedAlone, !ofImages.contains(uid) {
        add(file, to: uid)
      } else {
        refused.append(error)
      }
    }
    (damaged, others) = ([], [])
    return order.map { SeriesFiles(seriesInstanceUID: $0, files: files[$0] ?? []) }
  }
}
