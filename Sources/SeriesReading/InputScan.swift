import DICOM
import Foundation
import NIfTI

/// The NIfTI files of one input: one, or one for each channel in their order.
public struct VolumeFiles: Sendable, Equatable {
  /// The file's name without its ending and the channel's number.
  public var name: String
  public var files: [URL]

  public init(name: String, files: [URL]) {
    self.name = name
    self.files = files
  }
}

/// Finds the images in files and folders and sorts them by series; NIfTI files are listed
/// separately.
///
/// ```swift
/// let scan = try InputScan(["/data/study"])
/// for series in scan.series { print(series.seriesInstanceUID, series.files.count) }
/// for refusal in scan.refused { print(refusal) }
/// ```
public struct InputScan {
  /// Series in the order in which they were found.
  public private(set) var series: [SeriesFiles] = []
  /// NIfTI files by name, in the order in which they were found.
  public private(set) var volumes: [VolumeFiles] = []
  /// Files that are no CT, MR or PET image, each with its reason.
  public private(set) var refused: [ImageRefusal] = []
  /// Entries that are no file of their own, such as a broken link.
  public private(set) var passedOver: [PassedOverEntry] = []

  /// Files that claim to be DICOM and cannot be read, or do not say to which series they belong: a
  /// series may lack a slice.
  public var damagedImages: [ImageRefusal] {
    refused.filter { error in
      switch error {
      case .unreadable(let name, _), .notReadable(let name, _):
        // PS3.10 7.1: 128 bytes, then the letters DICM.
        let start = FileHandle(forReadingAtPath: name)?.readData(ofLength: 132)
        return start.map { $0.count == 132 && $0.suffix(4).elementsEqual("DICM".utf8) } ?? true
      default: return false
      }
    }
  }

  /// - Parameters:
  ///   - inputs: paths of files and folders.
  ///   - takesEverything: sorts every DICOM file by its series UID, also one that no job could be
  ///     made of because it is of another kind than CT, MR and PET images.
  /// - Throws: ``InputScanError`` when an input does not exist.
  public init(_ inputs: [String], takesEverything: Bool = false) throws(InputScanError) {
    var sorter = SeriesSorter()
    for input in inputs {
      let listing = try FileListing(input)
      passedOver += listing.passedOver
      for file in listing.files {
        if !takesEverything, NIfTIFile.isNamed(file.path) {
          add(volume: file)
          continue
        }
        do throws(ImageRefusal) {
          let uid =
            takesEverything
            ? try Self.anySeries(of: file)
            : try ImageIdentity.read(file.path, named: file.path).instance.seriesInstanceUID
          sorter.add(file, to: uid)
        } catch {
          sorter.add(damaged: file, error)
        }
      }
    }
    series = sorter.series(withDamagedAlone: takesEverything)
    refused = sorter.refused
  }

  /// The series of an object whatever its class.
  private static func anySeries(of file: URL) throws(ImageRefusal) -> String {
    let identity: InstanceIdentity?
    do {
      let read = try DICOMFile(path: file.path)
      // A DICOMDIR (PS3.10 8.6) lists other files and belongs to no series.
      let isDirectory = read.dataset.contains(.directoryRecordSequence)
      identity = isDirectory ? nil : try read.identity()
    } catch .cannotRead(_, let reason, _) {
      throw .notReadable(name: file.path, reason: reason)
    } catch {
      throw .unreadable(name: file.path, reason: error.reason)
    }
    guard let identity, !ImageStorage.hasNoPlanes(identity.sopClassUID) else {
      throw .notAnImage(
        name: file.path, sopClassUID: identity?.sopClassUID ?? "1.2.840.10008.1.3.10")
    }
    return identity.seriesInstanceUID
  }

  /// nnU-Net's names: NAME_0000.nii.gz, NAME_0001.nii.gz … are the channels of NAME.
  private mutating func add(volume file: URL) {
    var name = file.lastPathComponent
    for suffix in [".gz", ".nii"] where name.lowercased().hasSuffix(suffix) {
      name.removeLast(suffix.count)
    }
    let parts = name.split(separator: "_")
    guard parts.count > 1, let last = parts.last, last.count == 4, last.allSatisfy(\.isNumber)
    else { return volumes.append(VolumeFiles(name: name, files: [file])) }
    let stem = parts.dropLast().joined(separator: "_")
    let folder = file.deletingLastPathComponent()
    let sibling = volumes.firstIndex {
      $0.name == stem && $0.files[0].deletingLastPathComponent() == folder
    }
    if let sibling {
      volumes[sibling].files.append(file)
    } else {
      volumes.append(VolumeFiles(name: stem, files: [file]))
    }
  }
}
