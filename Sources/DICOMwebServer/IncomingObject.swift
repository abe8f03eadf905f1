import Clocks
import DICOM
import DICOMNetwork
import FileSystem
import Foundation
import Glibc

/// An object on its way into a file of the handler's.
struct IncomingObject {
  /// Why it cannot be stored.
  struct Failure {
    var status: UInt16
    var reason: String
  }

  let beganAt = SteadyTime.now
  private let began = ContinuousClock.now
  private let folder: String
  private let limits: StoreLimits
  private var descriptor: Int32 = -1
  private(set) var path: String?
  private(set) var byteCount = 0
  private(set) var failure: Failure?
  /// The first bytes: identifiers come long before the pixels.
  private(set) var beginning = Data()
  private static let beginningSize = 256 << 10
  /// The disk is looked at again after so much of an object.
  private static let spaceCheckInterval = 16 << 20

  /// Opens its file, where the disk has space for more than its reserve.
  init(_ configuration: StoreConfiguration, store: any StoreHandler) {
    folder = configuration.folder
    limits = configuration.limits
    open(store)
  }

  private mutating func open(_ store: any StoreHandler) {
    if let fault = limits.spaceFault(in: folder) { return fail(fault) }
    do throws(SystemError) {
      guard let file = try store.newFile() else { return fail("there is no file to write into") }
      (descriptor, path) = (file.descriptor, file.path)
    } catch {
      fail(error.description)
    }
  }

  private mutating func fail(_ reason: String) {
    failure = failure ?? Failure(status: FailureReason.outOfResources, reason: reason)
  }

  /// - Throws: ``StoreFault`` where it is too large or too slow.
  mutating func take(_ data: Data) throws(StoreFault) {
    let before = byteCount
    byteCount += data.count
    guard byteCount <= limits.objectBytes else {
      throw .tooLarge(reason: "an object has more than \(limits.objectBytes) bytes")
    }
    guard began.duration(to: .now) <= .seconds(limits.objectSeconds) else {
      throw .tooSlow(reason: "an object takes longer than \(limits.objectSeconds) s")
    }
    if beginning.count < Self.beginningSize {
      beginning.append(data.prefix(Self.beginningSize - beginning.count))
    }
    if before / Self.spaceCheckInterval != byteCount / Self.spaceCheckInterval,
      let fault = limits.spaceFault(in: folder)
    {
      fail(fault)
    }
    guard failure == nil else { return }
    do throws(SystemError) { try write(data, to: descriptor) } catch { fail(error.description) }
  }

  /// Closes the file.
  mutating func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Closes and removes the file.
  mutating func discard() {
    close()
    if let path { unlink(path) }
  }

  /// What it says of itself, as far as it came.
  var identity: PartialIdentity {
    // On a full disk the file may have nothing of it.
    guard failure == nil, let path else {
      return PartialIdentity(ofDamaged: beginning, transferSyntaxUID: "")
    }
    return PartialIdentity(ofDamaged: path)
  }
}

extension StoreLimits {
  /// Why nothing more can be written; nil where it can. On a full disk the ledger could not be written
  /// either.
  func spaceFault(in folder: String) -> String? {
    guard let available = DiskSpace(of: folder)?.available, available < diskReserve else {
      return nil
    }
    return "no space left but the reserve: \(available >> 20) of \(diskReserve >> 20) MiB"
  }
}
