import FileSystem
import Foundation
import Ingest
import SeriesProcessing
import Tensors

extension Diagnosis {
  func machineFindings() -> [Finding] { [processorFinding, memoryFinding, clockFinding] }

  private var processorFinding: Finding {
    let threads = threadCount(configuration.inference.threads)
    let fastest = InstructionSet.allCases.first(where: \.isAvailable) ?? .portable
    guard fastest != .portable else {
      return .warning(
        "processor", "neither AVX2 nor AVX-512: networks run several times slower",
        "let the virtual machine have the host's processor type, or take a newer one")
    }
    return .good("processor", "\(threads) threads, \(fastest.rawValue)")
  }

  private var memoryFinding: Finding {
    let total = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let text = String(format: "%.1f GB", Double(total) / 1e9)
    let limit = configuration.inference.memoryLimitGB
    guard limit * 1e9 <= Double(total) else {
      return .warning(
        "memory", "\(text), less than inference.memoryLimitGB (\(limit))",
        "lower it, or set it to 0 for what the system has")
    }
    return .good("memory", text)
  }

  /// Whether the kernel knows of a source that the clock is synchronised with (adjtimex(2)).
  private var clockFinding: Finding {
    var status = timex()
    guard adjtimex(&status) == TIME_ERROR else { return .good("clock", "synchronised") }
    return .warning(
      "clock", "the kernel knows of no time server: times in the history may be wrong",
      "install chrony or systemd-timesyncd; a container has the clock of its host")
  }

  func stateFindings() -> [Finding] {
    let folder = state.url.path
    guard let status = FileStatus(folder) else {
      return [
        .warning(
          "state directory", "\(folder) is not there yet",
          "the daemon makes it; its user needs the right to, or make it with mode 700")
      ]
    }
    guard access(folder, W_OK | X_OK) == 0 else {
      return [
        .fault(
          "state directory", "\(folder) cannot be written by this user",
          "run this as the daemon's user; if it is, chown the directory")
      ]
    }
    var findings = [Finding]()
    if status.mode & 0o077 != 0 {
      findings.append(
        .warning(
          "state directory", "\(folder) is open to others", "chmod 700: it holds patient data"))
    }
    findings += [spaceFinding, kindFinding, speedFinding()].compactMap(\.self)
    return findings
  }

  private var spaceFinding: Finding? {
    guard let disk = DiskSpace(of: state.url.path) else { return nil }
    let reserve =
      configuration.listeners.map { state.diskReserve($0.limits) }.max()
      ?? state.diskReserve(gigabytes: nil)
    let text = String(
      format: "%.1f of %.1f GB free", Double(disk.available) / 1e9, Double(disk.size) / 1e9)
    if disk.available < reserve {
      return .fault(
        "disk", "\(text), less than the reserve: nothing is taken", "make space, or a larger disk")
    }
    if disk.available < 5 * reserve {
      return .warning("disk", text, "make space, or a larger disk: a CT has about 0.3 GB")
    }
    return .good("disk", text)
  }

  /// File systems that lose files, or on which SQLite's locks cannot be relied on
  /// (https://sqlite.org/faq.html#q5).
  private var kindFinding: Finding? {
    var file = statfs()
    guard statfs(state.url.path, &file) == 0 else { return nil }
    switch UInt32(truncatingIfNeeded: file.f_type) {
    case 0x0102_1994, 0x8584_58F6:
      return .fault(
        "file system", "the state directory is in memory (tmpfs)",
        "put it on a disk: what was acknowledged is lost with the power")
    case 0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x517B:
      return .warning(
        "file system", "the state directory is on a network file system",
        "put it on a local disk: locks of the ledger may fail there")
    default: return .good("file system", "local")
    }
  }

  /// Writes and syncs a few files as they come from a CT, and removes them.
  private func speedFinding() -> Finding {
    let folder = state.url.appendingPathComponent(".doctor.\(getpid())", isDirectory: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let slice = Data(repeating: 0x5A, count: 525_000)
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      let seconds = try (0..<32).map { number in
        let start = ContinuousClock.now
        try DurableFile.write(to: folder.appendingPathComponent("\(number)").path) { path in
          do { try slice.write(to: URL(fileURLWithPath: path)) } catch {
            return SystemError.text(of: error)
          }
          return nil
        }
        return (ContinuousClock.now - start) / .seconds(1)
      }
      let median = seconds.sorted()[seconds.count / 2]
      let text = String(format: "a slice of 525 kB is written and synced in %.1f ms", 1000 * median)
      guard median < 0.1 else {
        return .warning("disk speed", text, "a faster disk: images come faster than it takes them")
      }
      return .good("disk speed", text)
    } catch {
      return .fault("disk speed", SystemError.text(of: error), "mend the disk")
    }
  }
}
