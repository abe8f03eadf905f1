import FileSystem
import Foundation
import Glibc

/// The one object of a WADO-RS answer on its way to disk.
struct RetrievedObject {
  private let url: String
  private let file: URL
  private let maximumSize: Int
  private var reader: MultipartReader?
  /// Whether the body is the object itself.
  private var isPlain = false
  private var descriptor: Int32 = -1
  /// Whether the file was made here.
  private var isOurs = false
  private var size = 0
  private var count = 0

  init(url: String, file: URL, maximumSize: Int) {
    self.url = url
    self.file = file
    self.maximumSize = maximumSize
  }

  /// Takes the type of the answer.
  mutating func begin(_ contentType: String) throws(DICOMwebError) {
    let type = MediaType(contentType)
    switch type.name {
    case "multipart/related":
      guard let boundary = type.parameters["boundary"], (1...70).contains(boundary.utf8.count)
      else { throw .malformed(url: url, reason: "its parts have no boundary") }
      reader = MultipartReader(boundary: boundary)
    case "application/dicom":
      isPlain = true
      try open()
    default: throw .malformed(url: url, reason: "its type is no DICOM object")
    }
  }

  mutating func take(_ data: Data) throws(DICOMwebError) {
    guard !isPlain else { return try write(data) }
    guard var reader else { return }
    let events: [MultipartReader.Event]
    do { events = try reader.take(data) } catch { throw .malformed(url: url, reason: error.reason) }
    self.reader = reader
    for event in events {
      switch event {
      case .part(let headers):
        if let text = headers["content-type"], MediaType(text).name != "application/dicom" {
          throw .malformed(url: url, reason: "a part is no DICOM object")
        }
        try open()
      case .data(let data): try write(data)
      case .end: break
      }
    }
  }

  /// The whole object is on disk when this returns.
  mutating func finish() throws(DICOMwebError) {
    guard isPlain || reader?.isComplete == true else {
      throw .malformed(url: url, reason: "it ends before its last part does")
    }
    guard count == 1, size > 0 else { throw .malformed(url: url, reason: "it has no object") }
    guard fsync(descriptor) == 0 else { throw failure() }
    close(descriptor)
    descriptor = -1
  }

  /// Removes the file.
  mutating func discard() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    if isOurs { unlink(file.path) }
  }

  private mutating func open() throws(DICOMwebError) {
    count += 1
    guard count == 1 else { throw .malformed(url: url, reason: "it has more than one object") }
    descriptor = Glibc.open(file.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure() }
    isOurs = true
  }

  private mutating func write(_ data: Data) throws(DICOMwebError) {
    size += data.count
    guard size <= maximumSize else {
      throw .tooLarge(url: url, reason: "an object is larger than \(maximumSize) bytes")
    }
    do { try FileSystem.write(data, to: descriptor) } catch {
      throw .notWritten(path: file.path, reason: error.description)
    }
  }

  private func failure() -> DICOMwebError {
    .notWritten(path: file.path, reason: String(cString: strerror(errno)))
  }
}
