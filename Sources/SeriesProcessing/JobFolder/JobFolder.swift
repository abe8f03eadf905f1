import FileSystem
import Foundation
import Segmentation
import SeriesReading

/// What was last asked of a cluster for a job: `submission.json` of a ``JobFolder``, written by the head alone.
public struct JobSubmission: Codable, Sendable, Equatable {
  /// From 1. Only the result of this one counts.
  public var number: Int
  /// Memory of the whole process, in bytes; nil for what the system has.
  public var memory: Int?
  /// Worker threads.
  public var threads: Int
  /// Wall time.
  public var minutes: Int
  /// Whether more memory, or time, than at first was asked for.
  public var hasMoreMemory = false
  public var hasMoreTime = false
  /// What several jobs are called that are submitted together; nil of one by itself.
  public var pack: String?
  /// Machines that have refused it: their program or their model is another one.
  public var refusedBy: [String]?

  public init(number: Int = 1, memory: Int?, threads: Int, minutes: Int) {
    self.number = number
    self.memory = memory
    self.threads = threads
    self.minutes = minutes
  }
}

/// How far a job has come: `progress.json` of a ``JobFolder``, for people.
public struct JobProgress: Codable, Sendable, Equatable {
  public var patchesDone: Int
  public var patchesTotal: Int
  public var patchesBefore: Int
  /// Since it began or resumed.
  public var seconds: Double
  /// Patches that a checkpoint holds, where it was interrupted.
  public var patchesKept: Int?
}

/// What the machine says of itself that computes a submission: `node.N.json` of a ``JobFolder``.
public struct JobNodeNote: Codable, Sendable, Equatable {
  /// Its name, as its cluster calls it.
  public var host: String
  /// The fault of that machine which ended the submission; nil where there is none.
  public var fault: String?
  /// What became of the checkpoint that the folder held; nil where there was none.
  public var checkpoint: CheckpointUse?

  public enum CheckpointUse: Codable, Sendable, Equatable {
    /// It resumed after so many patches.
    case resumed(patches: Int, of: Int)
    /// It began anew.
    case discarded(reason: String)
  }
}

/// A job as a folder that any machine with the same file system can compute: what is asked for, the input
/// by hard links or copies, checkpoints, and results, each of which is there whole or not at all.
///
/// | name | holds |
/// |---|---|
/// | `job.json` | ``JobDescription`` |
/// | `submission.json` | ``JobSubmission`` |
/// | `input/` | the instances |
/// | `checkpoint/` | the state of a job that was interrupted or may be |
/// | `progress.json` | ``JobProgress`` |
/// | `node.N.json` | ``JobNodeNote`` of submission N, once it has begun |
/// | `result.N/` | the files of the result of submission N, and ``JobFolderOutcome`` as `outcome.json` |
///
/// Folders have mode 0700 and files mode 0600. A hard link of an instance shares its content and its mode.
public struct JobFolder: Sendable {
  public let url: URL

  /// An existing folder.
  public init(_ url: URL) { self.url = url }

  var job: URL { url.appendingPathComponent("job.json") }
  private var submissionFile: URL { url.appendingPathComponent("submission.json") }
  private var progressFile: URL { url.appendingPathComponent("progress.json") }
  public var checkpoint: URL { url.appendingPathComponent("checkpoint", isDirectory: true) }

  public func result(_ submission: Int) -> URL {
    url.appendingPathComponent("result.\(submission)", isDirectory: true)
  }

  /// On a network file system it may be so for some time that this machine is not shown it: see ``refresh()``.
  public func hasResult(_ submission: Int) -> Bool {
    FileStatus(result(submission).path)?.isFolder == true
  }

  /// Has this machine see what others have written in the folder. A network file system answers from what it knew
  /// before, for up to a minute, also that a name is not there (nfs(5), "Directory entry caching"); a change of the
  /// folder by this machine ends that.
  public func refresh() {
    let path = url.appendingPathComponent(".\(UUID().uuidString).part").path
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    // Also the answer that it cannot be made tells how the folder is.
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(path)
  }

  // MARK: Making

  /// Makes the folder of a job: it is there whole or not at all.
  ///
  /// - Parameters:
  ///   - parent: an existing folder, which receives it.
  ///   - name: of the job and of its folder.
  ///   - input: what the job takes. Its files are linked, or copied where that is not possible.
  ///   - settings: the rest.
  /// - Throws: ``JobFolderError``
  public static func make(
    in parent: URL, name: String, input: ModelInput, settings: JobSettings
  ) throws(JobFolderError) -> JobFolder {
    let made = JobFolder(
      parent.appendingPathComponent(".\(name).\(UUID().uuidString).tmp", isDirectory: true))
    do throws(JobFolderError) {
      try makeFolder(made.url)
      let files = try made.take(input)
      try write(JobDescription(name: name, input, settings, files: files), to: made.job)
      let place = parent.appendingPathComponent(name, isDirectory: true)
      try sync(made.url)
      if let error = moveFolder(made.url, to: place) { throw .notWritten(place, error) }
      try sync(parent)
      return JobFolder(place)
    } catch {
      try? FileManager.default.removeItem(at: made.url)
      throw error
    }
  }

  private func take(_ input: ModelInput) throws(JobFolderError) -> [URL: JobDescription.File] {
    let folder = url.appendingPathComponent("input", isDirectory: true)
    try Self.makeFolder(folder)
    var files: [URL: JobDescription.File] = [:]
    // In the order of their paths, so that theirs have the same.
    for (index, file) in input.allFiles.enumerated() {
      let path = "input/" + String(format: "%06d.dcm", index + 1)
      let place = url.appendingPathComponent(path)
      if link(file.path, place.path) != 0 { try Self.copy(file, to: place) }
      files[file] = JobDescription.File(path: path, sha256: try Self.hash(place))
    }
    try Self.sync(folder)
    return files
  }

  // MARK: Reading

  /// What is asked for.
  ///
  /// - Throws: ``JobFolderError`` where it is of another schema, or names files that are not of the folder.
  public func description() throws(JobFolderError) -> JobDescription {
    struct Schema: Decodable { var schema: Int }
    // Of the schema first: another one cannot be decoded.
    let schema = try Self.read(Schema.self, job).schema
    guard schema == JobDescription.currentSchema else {
      throw .otherSchema(file: job.path, schema: schema)
    }
    let description = try Self.read(JobDescription.self, job)
    for file in description.allFiles {
      let parts = file.path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, parts[0] == "input", Self.isPlainName(parts[1]) else {
        throw .forbiddenPath(file: job.path, path: file.path)
      }
    }
    return description
  }

  /// Whether a name is one of a file that this program writes: it leads nowhere.
  static func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix(".")
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains(byte)
      }
  }

  /// Compares each input file with its hash.
  ///
  /// - Throws: ``JobFolderError``
  func verifyInput(_ description: JobDescription) throws(JobFolderError) {
    for file in description.allFiles {
      let place = url.appendingPathComponent(file.path)
      guard Self.isRegularFile(place) else {
        throw .forbiddenPath(file: job.path, path: file.path)
      }
      let found = try Self.hash(place)
      guard found == file.sha256 else {
        throw .damagedInput(file: place.path, wanted: file.sha256, found: found)
      }
    }
  }

  /// nil before the first one.
  public func submission() throws(JobFolderError) -> JobSubmission? {
    guard FileStatus(submissionFile.path) != nil else { return nil }
    return try Self.read(JobSubmission.self, submissionFile)
  }

  /// Records a submission, before it is made.
  public func record(_ submission: JobSubmission) throws(JobFolderError) {
    try Self.write(submission, to: submissionFile)
  }

  /// Takes what the head has computed of the job until now: the checkpoints that are further than those of the folder.
  ///
  /// - Parameter checkpoints: of the job at the head, which loses them; it is told what is not taken.
  /// - Returns: how many were taken.
  @discardableResult
  public func takeCheckpoints(of checkpoints: PredictionCheckpoints) -> Int {
    var own = checkpoints
    own.folder = checkpoint
    own.diskReserve = 0
    return own.takeOver(from: checkpoints.folder)
  }

  /// Gives the head what was computed of the job here, likewise.
  @discardableResult
  public func giveCheckpoints(to checkpoints: PredictionCheckpoints) -> Int {
    checkpoints.takeOver(from: checkpoint)
  }

  /// nil where none is known.
  public func progress() -> JobProgress? { try? Self.read(JobProgress.self, progressFile) }

  /// Nothing depends on it: it is not synced, and what keeps it from being written shows up elsewhere.
  func note(_ progress: JobProgress) {
    guard let data = try? JSONEncoder().encode(progress) else { return }
    try? data.write(to: progressFile, options: .atomic)
  }

  private func nodeFile(_ submission: Int) -> URL {
    url.appendingPathComponent("node.\(submission).json")
  }

  /// Nil of a submission that has not begun.
  public func node(_ submission: Int) -> JobNodeNote? {
    try? Self.read(JobNodeNote.self, nodeFile(submission))
  }

  /// As far as it can be written: the fault that it tells of may be a full disk.
  func note(_ node: JobNodeNote, of submission: Int) {
    guard let data = try? JSONEncoder().encode(node) else { return }
    try? data.write(to: nodeFile(submission), options: .atomic)
  }

  // MARK: Files

  static func isRegularFile(_ file: URL) -> Bool {
    var status = stat()
    return lstat(file.path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  static func hash(_ file: URL) throws(JobFolderError) -> String {
    do { return try hexadecimalSHA256(ofFile: file) } catch {
      throw .unreadable(file, error)
    }
  }

  /// Copies a file into a folder that is not used before it is whole. The copy is on the disk, and its name once the
  /// folder is synced.
  static func copy(_ file: URL, to place: URL) throws(JobFolderError) {
    let data: Data
    do { data = try Data(contentsOf: file, options: .alwaysMapped) } catch {
      throw .unreadable(file, error)
    }
    let created = open(place.path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
    guard created >= 0 else { throw .notWritten(place, SystemError()) }
    let handle = FileHandle(fileDescriptor: created, closeOnDealloc: true)
    do {
      try handle.write(contentsOf: data)
      try handle.synchronize()
      try handle.close()
    } catch {
      throw .notWritten(
        file: place.path, reason: SystemError.text(of: error), system: SystemError(behind: error))
    }
  }

  static func sync(_ folder: URL) throws(JobFolderError) {
    do { try DurableFile.sync(folder.path) } catch { throw JobFolderError(error) }
  }

  /// Makes a folder of a name that nobody else gives.
  static func makeFolder(_ folder: URL) throws(JobFolderError) {
    guard mkdir(folder.path, 0o700) != 0 else { return }
    let error = SystemError()
    // Where the answer of a file server was lost it is asked again, and has the folder by then.
    guard error.number == EEXIST, FileStatus(folder.path)?.isFolder == true else {
      throw .notWritten(folder, error)
    }
  }

  /// Renames a folder, which is not synced.
  ///
  /// - Returns: why it could not be; nil where it is done.
  static func moveFolder(_ folder: URL, to place: URL) -> SystemError? {
    guard rename(folder.path, place.path) != 0 else { return nil }
    let error = SystemError()
    // Where the answer of a file server was lost it is asked again, and has nothing of the name by then.
    let isDone =
      error.number == ENOENT && FileStatus(folder.path) == nil
      && FileStatus(place.path)?.isFolder == true
    return isDone ? nil : error
  }

  static func read<Value: Decodable>(_ type: Value.Type, _ file: URL) throws(JobFolderError)
    -> Value
  {
    let data: Data
    do { data = try Data(contentsOf: file) } catch {
      throw .unreadable(file, error)
    }
    do { return try JSONDecoder().decode(type, from: data) } catch {
      throw .unreadable(file: file.path, reason: "\(error)")
    }
  }

  static func write(_ value: some Encodable, to file: URL) throws(JobFolderError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(value) } catch {
      throw .notWritten(file: file.path, reason: "\(error)", system: nil)
    }
    do {
      try DurableFile.write(to: file.path) { temporary in
        try data.write(to: URL(fileURLWithPath: temporary))
      }
    } catch {
      throw JobFolderError(error)
    }
  }
}
