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
    /// Of the job: one that was held is made anew by the next.
    var attempts = 0
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
  /// How often something was looked at.
  private let turns = Mutex(0)
  private static let keptSeconds = 600.0
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

  private func volume(_ asked: Key) throws -> ViewedVolume {
    let job = try job(asked.job)
    let key = Key(job: asked.job, object: asked.object, attempts: job.attempts)
    guard job.purgedAt == nil else {
      throw DashboardRefusal(.notFound, "the result of job \(key.job) was purged")
    }
    let found = kept.withLock { kept -> Kept? in
      guard let place = kept.firstIndex(where: { $0.key == key }) else { return nil }
      let found = kept.remove(at: place)
      kept.append(found)
      return found
    }
    forgetLater()
    if let found { return found.volume }
    return try read(key, job)
  }

  private func job(_ id: Int64) throws -> JobSummary {
    do throws(LedgerError) { return try ledger.job(id).job } catch .unknownJob {
      throw DashboardRefusal(.notFound, "there is no job \(id)")
    }
  }

  /// Lets go of what nobody has looked at for some minutes.
  private func forgetLater() {
    let turn = turns.withLock { turns in
      turns += 1
      return turns
    }
    queue.asyncAfter(deadline: .now() + Self.keptSeconds) { [weak self] in
      guard let self, turns.withLock({ $0 == turn }) else { return }
      kept.withLock { $0.removeAll() }
    }
  }

  private func makeRoom(for voxels: Int) {
    kept.withLock { kept in
      while !kept.isEmpty, kept.reduce(voxels, { $0 + $1.voxels }) > Self.mostKeptVoxels {
        kept.removeFirst()
      }
    }
  }

  private func read(_ key: Key, _ job: JobSummary) throws -> ViewedVolume {
    let objects = ShownResult(job, in: state).segmentations
    guard objects.indices.contains(key.object) else {
      throw DashboardRefusal(.notFound, "the result of job \(key.job) has no such object here")
    }
    let path = state.appendingPathComponent(objects[key.object]).path
    do {
      let stack = try stack(of: job, path)
      guard stack.sourceGrid.voxelCount <= Self.mostVoxels else {
        throw DashboardRefusal(.contentTooLarge, "the volume is too large to be shown here")
      }
      makeRoom(for: stack.sourceGrid.voxelCount)
      let labels = try SegmentationLabels.read(path, onto: stack.sourceGrid) {
        UInt8(exactly: $0.number)
      }
      let volume = try source.pixels(of: stack)
      let first = stack.frames.first
      let viewed = ViewedVolume(
        volume, labels.labels, segments: try SegmentationLabels.segments(of: path),
        modality: first?.modality ?? "",
        isInverted: first?.photometricInterpretation == "MONOCHROME1")
      kept.withLock {
        $0.append(Kept(key: key, volume: viewed, voxels: stack.sourceGrid.voxelCount))
      }
      return viewed
    } catch let refusal as DashboardRefusal {
      throw refusal
    } catch {
      throw DashboardRefusal(.conflict, "the images and labels cannot be shown: \(error)")
    }
  }

  /// The one volume of the series whose images the object's frames were made of.
  private func stack(of job: JobSummary, _ path: String) throws -> SliceStack {
    let shown = try images(of: path)
    let stacks = try source.stacks(series: job.seriesInstanceUID).filter { stack in
      let own = Set(
        stack.frames.map { Image(uid: $0.sopInstanceUID, frame: $0.frameNumber ?? 1) })
      return !shown.isEmpty && shown.isSubset(of: own)
    }
    guard stacks.count == 1, let stack = stacks.first else {
      throw DashboardRefusal(
        .conflict, "the images of the result are not here as one volume of its series")
    }
    return stack
  }

  private struct Image: Hashable {
    var uid: String
    /// From 1.
    var frame: Int
  }

  /// What the frames of an object say they were made of; where it has none, the instances that it refers to.
  private func images(of path: String) throws -> Set<Image> {
    let dataset = try DICOMFile(path: path).dataset
    let sources = dataset.items(.perFrameFunctionalGroups)
      .flatMap { $0.items(.derivationImageSequence) }.flatMap { $0.items(.sourceImageSequence) }
      .compactMap { item in
        item.text(.referencedSOPInstanceUID).map {
          Image(uid: $0, frame: item.integer(.referencedFrameNumber) ?? 1)
        }
      }
    guard sources.isEmpty else { return Set(sources) }
    return Set(
      dataset.items(.referencedSeriesSequence).flatMap { $0.items(.referencedInstanceSequence) }
        .compactMap { $0.text(.referencedSOPInstanceUID) }.map { Image(uid: $0, frame: 1) })
  }
}
