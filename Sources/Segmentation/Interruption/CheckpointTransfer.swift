import FileSystem
import Foundation

/// Checkpoints of a job that another executor computed until now.
extension PredictionCheckpoints {
  /// Takes the checkpoints of another folder that are further than those of this one; the other folder loses them.
  ///
  /// Each is checked as for resuming: one that is damaged, or of other images, another model, other settings or another
  /// version, is reported as discarded and removed, and one for which there is no space is reported as not written and
  /// left where it is. Whoever resumes checks again, the arithmetic of the processor too.
  ///
  /// - Parameter other: a folder of checkpoints; where there is none, nothing is done.
  /// - Returns: how many were taken.
  @discardableResult
  package func takeOver(from other: URL) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: other.path)) ?? []
    var taken = 0
    for name in names.sorted() where name.hasSuffix(Self.suffix) && !name.hasPrefix(".") {
      let source = other.appendingPathComponent(name)
      do {
        if try take(source, named: name) { taken += 1 }
        unlink(source.path)
      } catch let fault as PredictionFileError {
        report(.discarded(reason: "\(source.path): \(fault)"))
        unlink(source.path)
      } catch {
        report(.notWritten(reason: SystemError.text(of: error)))
      }
    }
    return taken
  }

  /// - Returns: false where there is one already that is as far.
  private func take(_ source: URL, named name: String) throws -> Bool {
    try makeFolder()
    let place = folder.appendingPathComponent(name).path
    // What is checked is what is taken, whatever is written at the source meanwhile.
    let temporary = "\(place).\(UUID().uuidString).part"
    defer { unlink(temporary) }
    try copy(source.path, to: temporary)
    let isOurs = { (subject: PredictionSubject) in
      subject.fingerprint == fingerprint && subject.program == program
    }
    let found = try PredictionFile.progress(temporary, isOurs: isOurs)
    if let known = try? PredictionFile.progress(place, isOurs: isOurs), known >= found {
      return false
    }
    try DurableFile.sync(temporary)
    try DurableFile.move(temporary, to: place)
    return true
  }

  /// A hard link, or a copy where that is not possible. A checkpoint is never changed, but replaced.
  ///
  /// - Throws: ``PredictionFileError`` where it is no file that can be read; `DurableFileError` or `SystemError` where it
  ///   cannot be written.
  private func copy(_ source: String, to temporary: String) throws {
    let input = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard input >= 0 else { throw PredictionFileError.unreadable(SystemError().description) }
    defer { close(input) }
    var status = stat()
    guard fstat(input, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw PredictionFileError.unreadable("it is no file")
    }
    if link(source, temporary) == 0 { return }
    if let fault = spaceFault(Int(status.st_size)) {
      throw DurableFileError(file: temporary, reason: fault)
    }
    let output = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw SystemError() }
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 4 << 20)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(input, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw PredictionFileError.unreadable(SystemError().description) }
      guard count > 0 else { return }
      try FileSystem.write(Data(buffer[..<count]), to: output)
    }
  }
}
