import Clocks
import FileSystem
import Foundation
import JobLedger
import Synchronization

/// What a process is reading at the moment, in a file that tells it after the process has crashed.
///
/// Each subject has a slot of the file while it is being read. A slot is written by one pwrite(2), which
/// costs a microsecond; nothing is synced, as the file is for the end of a process and not for a loss of
/// power. On a full disk a note may be lost.
public final class ReadingNotes: Sendable {
  /// What is being read.
  public enum Subject: Sendable, Equatable {
    /// What a peer sends over an association.
    case association(ReceivingAssociation)
    /// A dataset that came over an association.
    case object(
      sopClassUID: String, sopInstanceUID: String, beganAt: SteadyTime, over: ReceivingAssociation)
    /// A file of a watch folder. The version is another one as soon as it is changed.
    case file(path: String, version: String)
  }

  /// A subject that is being read until ``end()``.
  struct Note: Sendable {
    fileprivate let notes: ReadingNotes
    fileprivate let slot: Int

    func end() { notes.clear(slot) }
  }

  private struct Slots {
    var isUsed: [Bool] = []
    /// Of those with an object or a file, in the order in which they were begun.
    var readings: [Int: UInt64] = [:]
    var readingCount: UInt64 = 0

    mutating func take(isReading: Bool) -> Int {
      let free = isUsed.firstIndex(of: false) ?? isUsed.count
      if free == isUsed.count { isUsed.append(true) } else { isUsed[free] = true }
      if isReading {
        readingCount += 1
        readings[free] = readingCount
      }
      return free
    }

    mutating func clear(_ slot: Int) {
      isUsed[slot] = false
      readings[slot] = nil
    }
  }

  private let descriptor: Int32
  private let slots = Mutex(Slots())
  /// Of associations, by their key.
  private let associations = Mutex<[String: Note]>([:])
  /// Longer than a path can be.
  private static let slotLength = 8192

  /// Begins anew.
  public init(_ file: URL) throws(StateDirectoryError) {
    descriptor = open(file.path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StateDirectoryError(path: file.path)
    }
  }

  deinit { close(descriptor) }

  func begin(_ subject: Subject) -> Note {
    let isReading = if case .association = subject { false } else { true }
    let slot = slots.withLock { $0.take(isReading: isReading) }
    var bytes = Array(subject.bytes.prefix(Self.slotLength - 1))
    bytes.append(0)
    _ = pwrite(descriptor, bytes, bytes.count, off_t(slot * Self.slotLength))
    return Note(notes: self, slot: slot)
  }

  private func clear(_ slot: Int) {
    var zero: UInt8 = 0
    _ = pwrite(descriptor, &zero, 1, off_t(slot * Self.slotLength))
    slots.withLock { $0.clear(slot) }
  }

  /// The number of the object or file that has been read for the longest; nil where none is.
  var oldestReading: UInt64? { slots.withLock { $0.readings.values.min() } }

  /// That no object or file is read for ever. Half an hour is long for the largest on a slow disk.
  public var signOfLife: SignsOfLife.Part {
    SignsOfLife.Part("the reading of an object", within: 1800, isReading: true) {
      self.oldestReading
    }
  }

  func began(_ association: ReceivingAssociation) {
    let note = begin(.association(association))
    associations.withLock { $0[association.key] = note }
  }

  func ended(_ association: ReceivingAssociation) {
    associations.withLock { $0.removeValue(forKey: association.key) }?.end()
  }

  /// What was being read when the process that wrote the file ended.
  public static func subjects(in file: URL) -> [Subject] {
    guard let handle = try? FileHandle(forReadingFrom: file) else { return [] }
    var subjects: [Subject] = []
    while let slot = try? handle.read(upToCount: slotLength), !slot.isEmpty {
      if let subject = Subject(slot) { subjects.append(subject) }
    }
    return subjects
  }
}

extension ReadingNotes.Subject {
  /// A letter and the fields, each with a NUL behind it, which none of them can have inside.
  fileprivate var bytes: [UInt8] {
    let fields =
      switch self {
      case .association(let association): ["A"] + Self.fields(association)
      case .object(let sopClass, let instance, let time, let association):
        ["O", sopClass, instance, "\(time.seconds)"] + Self.fields(association)
      case .file(let path, let version): ["F", path, version]
      }
    var bytes: [UInt8] = []
    for field in fields {
      bytes.append(contentsOf: field.utf8.lazy.filter { $0 != 0 })
      bytes.append(0)
    }
    return bytes
  }

  private static func fields(_ association: ReceivingAssociation) -> [String] {
    [
      association.key, association.callingAETitle, association.calledAETitle,
      association.peerAddress, "\(association.startedAt.seconds)",
    ]
  }

  fileprivate init?(_ slot: Data) {
    let fields = slot.split(separator: 0, maxSplits: 9, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    switch fields[0] {
    case "A":
      guard let association = Self.association(fields.dropFirst(1)) else { return nil }
      self = .association(association)
    case "O":
      guard fields.count > 4, let time = Double(fields[3]),
        let association = Self.association(fields.dropFirst(4))
      else { return nil }
      self = .object(
        sopClassUID: fields[1], sopInstanceUID: fields[2],
        beganAt: SteadyTime(seconds: time), over: association)
    case "F":
      guard fields.count > 3 else { return nil }
      self = .file(path: fields[1], version: fields[2])
    default: return nil
    }
  }

  private static func association(_ fields: ArraySlice<String>) -> ReceivingAssociation? {
    let fields = Array(fields)
    guard fields.count > 5, let time = Double(fields[4]) else { return nil }
    return ReceivingAssociation(
      key: fields[0], callingAETitle: fields[1], calledAETitle: fields[2], peerAddress: fields[3],
      startedAt: SteadyTime(seconds: time))
  }
}
