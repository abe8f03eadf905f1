import DICOM
import Dispatch
import Foundation
import JobLedger
import Results
import Synchronization
import Volumes

/// Reads the volumes that people look at, one after the other, and keeps the last few in memory.
final class VolumeViewer: Sendable {
  private struct Key: Hashable {
    var job: Int64
    var object: Int
  }

  private struct Kept {
    var key: Key
    var volume: ViewedVolume
    var voxels: Int
  }

  /// More voxels are not read: with images and labels a volume takes up to 5 bytes for each.
  private static let mostVoxels = 1 << 27
  /// Of all that are kept.
  private static let mostKeptVoxels = 1 << 27

  private let state: URL
  private let ledger: Ledger
  private let source: any DashboardSource
  /// The one that was looked at last at the end.
  private let kept = Mutex<[Kept]>([])
  /// Where volumes are read: one at a time, and not on a thread that others wait for.
  private let queue = DispatchQueue(label: "segmentd.viewer")

  init(state: URL, ledger: Ledger, source: any DashboardSource) {
    self.state = state
    self.ledger = ledger
    self.source = source
  }

  /// The volume of an object of a job's result.
  ///
  /// - Parameters:
  ///   - id: the job's number.
  ///   - object: the object's place among the segmentations of the result, from 0.
  /// - Throws: ``DashboardRefusal`` where it cannot be shown, and why.
  func volume(job id: Int64, object: Int) async throws -> ViewedVolume {
    let key = Key(job: id, object: object)
    return try await withCheckedThrowingContinuation { continuation in
      queue.async {
        continuation.resume(with: Result { try self.volume(key) })
      }
    }
  }

  private func volume(_ key: Key) throws -> ViewedVolume {
    let found = kept.withLock { kept -> Kept? in
      guard let place = kept.firstIndex(where: { $0.key == key }) else { return nil }
      let found = kept.remove(at: place)
      kept.append(found)
      return found
    }
    if let found { return found.volume }
    let read = try read(key)
    kept.withLock { kept in
      while !kept.isEmpty, kept.reduce(read.voxels, { $0 + $1.voxels }) > Self.mostKeptVoxels {
        kept.removeFirst()
      }
      kept.append(read)
    }
    return read.volume
  }

  private func read(_ key: Key) throws -> Kept {
    let job = try ledger.job(key.job).job
    let objects = job.objects.filter { $0.kind == .segmentation }
    guard job.purgedAt == nil, objects.indices.contains(key.object) else {
      throw DashboardRefusal(.notFound, "the result of job \(key.job) has no such object here")
    }
    let path = state.appendingPathComponent(objects[key.object].path).path
    do {
      let stack = try stack(of: job, path)
      guard stack.sourceGrid.voxelCount <= Self.mostVoxels else {
        throw DashboardRefusal(.contentTooLarge, "the volume is too large to be shown here")
      }
      let labels = try SegmentationLabels.read(path, onto: stack.sourceGrid) {
        UInt8(exactly: $0.number)
      }
      let volume = try source.pixels(of: stack)
      let first = stack.frames.first
      return Kept(
        key: key,
        volume: ViewedVolume(
          volume, labels.labels, segments: try SegmentationLabels.segments(of: path),
          modality: first?.modality ?? "",
          isInverted: first?.photometricInterpretation == "MONOCHROME1"),
        voxels: stack.sourceGrid.voxelCount)
    } catch let refusal as DashboardRefusal {
      throw refusal
    } catch {
      throw DashboardRefusal(.conflict, "the images and labels cannot be shown: \(error)")
    }
  }

  /// The volume of the series to which the object refers.
  private func stack(of job: JobSummary, _ path: String) throws -> SliceStack {
    let shown = Set(
      try DICOMFile(path: path).dataset.items(.referencedSeriesSequence)
        .flatMap { $0.items(.referencedInstanceSequence) }
        .compactMap { $0.text(.referencedSOPInstanceUID) })
    let stacks = try source.stacks(series: job.seriesInstanceUID)
    guard
      let stack = stacks.first(where: { stack in
        !shown.isEmpty && shown.isSubset(of: stack.frames.map(\.sopInstanceUID))
      })
    else {
      throw DashboardRefusal(
        .conflict, "the images of the result are not here as one volume of its series")
    }
    return stack
  }
}
