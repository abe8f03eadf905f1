import FileSystem
import Foundation
import Synchronization

/// Runs the commands of Slurm. Arguments go to them as they are, never through a shell.
struct SlurmCommands: Sendable {
  /// That hold the commands, the first one counts.
  private let folders: [String]
  /// After which a command is ended that does not answer.
  private let limit: Duration

  /// - Parameters:
  ///   - folder: that holds the commands; nil for those of PATH.
  ///   - limit: after which a command is ended that does not answer.
  init(folder: String?, limit: Duration = .seconds(60)) {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    folders = folder.map { [$0] } ?? path.split(separator: ":").map(String.init)
    self.limit = limit
  }

  /// The file of a command; nil where there is none.
  func file(_ command: String) -> String? {
    folders.map { "\($0)/\(command)" }.first { access($0, X_OK) == 0 }
  }

  /// - Parameters:
  ///   - command: its name or path.
  ///   - arguments: of the command.
  ///   - environment: that it has; nil for that of this process.
  /// - Returns: its standard output.
  /// - Throws: ``SlurmCommandError`` where it cannot be run or ends with another status than 0.
  func run(
    _ command: String, _ arguments: [String], environment: [String: String]? = nil
  ) async throws(SlurmCommandError) -> Data {
    guard let file = file(command) else {
      throw SlurmCommandError(
        command: command, status: nil,
        message: "it is in none of \(folders.joined(separator: ", "))")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: file)
    process.arguments = arguments
    if let environment { process.environment = environment }
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    let (ends, end) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { process in
      end.yield(process.terminationStatus)
      end.finish()
    }
    do { try process.run() } catch {
      for pipe in [output, errors] {
        try? pipe.fileHandleForReading.close()
        try? pipe.fileHandleForWriting.close()
      }
      throw SlurmCommandError(
        command: command, status: nil, message: SystemError.text(of: error))
    }
    // Also where this task is cancelled: what was begun is known only at its end.
    let identifier = process.processIdentifier
    let watch = Task.detached { [limit] in
      try await Task.sleep(for: limit)
      kill(identifier, SIGKILL)
    }
    async let text = Self.contents(output)
    async let problem = Self.contents(errors)
    let (data, message) = await (text, problem)
    let status = await Task.detached { await ends.first { _ in true } ?? -1 }.value
    watch.cancel()
    guard status == 0 else {
      let words = String(decoding: message, as: UTF8.self)
        .split(separator: "\n").prefix(3).joined(separator: "; ")
      throw SlurmCommandError(command: command, status: status, message: words)
    }
    return data
  }

  /// Read on a thread of its own, as it blocks.
  private static func contents(_ pipe: Pipe) async -> Data {
    let handle = pipe.fileHandleForReading
    return await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        let data = (try? handle.readToEnd()) ?? Data()
        // Foundation does not: each question to the cluster would keep two descriptors.
        try? handle.close()
        continuation.resume(returning: data)
      }
    }
  }
}
