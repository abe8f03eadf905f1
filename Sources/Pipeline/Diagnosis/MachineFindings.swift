import FileSystem
import Foundation
import Ingest
import SeriesProcessing
import Tensors
import Wording

extension Diagnosis {
  func machineFindings() -> [Finding] { [processorFinding, memoryFinding, clockFinding] }

  private var processorFinding: Finding {
    let threads = threadCount(configuration.inference.threads)
    do throws(MissingInstructionSet) { try configuration.instructionSet?.check() } catch {
      guard configuration.inference.executor == .slurm else {
        return .fault(
          "processor", "\(error)",
          "configure one that every machine of the site supports, or fastest")
      }
    }
    let fastest = InstructionSet.allCases.first(where: \.isAvailable) ?? .portable
    guard fastest != .portable else {
      return .warning(
        "processor", "neither AVX2 nor AVX-512: networks run several times slower",
        "give the virtual machine the host's processor type, or use a newer processor")
    }
    let used = configuration.instructionSet ?? fastest
    return .good("processor", "\(counted(threads, "thread")), \(used.rawValue)")
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

  /// Whether a program works that keeps the clock right.
  private var clockFinding: Finding {
    let known = ["chronyd", "ntpd", "systemd-timesyn", "ptp4l", "VBoxService", "vmtoolsd"]
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let names = processes.filter { Int($0) != nil }.compactMap {
      try? String(contentsOfFile: "/proc/\($0)/comm", encoding: .utf8)
        .trimmingCharacters(in: .newlines)
    }
    guard let name = names.first(where: known.contains) else {
      return .warning(
        "clock", "it is not synchronised on this machine: times in the history may be wrong",
        "install chrony or systemd-timesyncd; a container has the clock of its host")
    }
    return .good("clock", "kept by \(name)")
  }

  func stateFindings() -> [Finding] {
    let folder = state.url.path
    guard let status = FileStatus(folder) else {
      return [
        .warning(
          "state directory", "\(folder) does not exist yet",
          "the daemon creates it if its user may do so; or create it with mode 700")
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
          "state directory", "\(folder) is open to others", "chmod 700: it contains patient data"))
    }
    findings += [spaceFinding, kindFinding, speedFinding()].compactMap(\.self)
    return findings
  }

  private var spaceFinding: Finding? {
    guard let disk = DiskSpace(of: state.url.path) else { return nil }
    let reserve = state.diskReserve(configuration.listeners)
    let text = String(
      format: "%.1f of %.1f GB free", Double(disk.available) / 1e9, Double(disk.size) / 1e9)
    if disk.available < reserve {
      return .fault(
        "disk", "\(text), less than the reserve: no images are accepted",
        "free some space, or use a larger disk")
    }
    if disk.available < 5 * reserve {
      return .warning(
        "disk", text, "free some space, or use a larger disk: a CT takes about 0.3 GB")
    }
    return .good("disk", text)
  }

  /// File systems that lose files, or on which SQLite's locks cannot be relied on
  /// (https://sqlite.org/faq.html#q5).
  private var kindFinding: Finding? {
    guard let mount = MountPoint(of: state.url.resolvingSymlinksInPath().path) else { return nil }
    if mount.isInMemory {
      return .fault(
        "file system", "the state directory is in memory (\(mount.kind))",
        "put it on a disk: acknowledged images would be lost in a power failure")
    }
    guard !mount.isNetwork else {
      return .warning(
        "file system", "the state directory is on a network file system (\(mount.kind))",
        "put it on a local disk: locks of the ledger may fail there")
    }
    return .good("file system", mount.kind)
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
          try slice.write(to: URL(fileURLWithPath: path))
        }
        return (ContinuousClock.now - start) / .seconds(1)
      }
      let median = seconds.sorted()[seconds.count / 2]
      let text = String(format: "a slice of 525 kB is written and synced in %.1f ms", 1000 * median)
      guard median < 0.1 else {
        return .warning(
          "disk speed", text, "use a faster disk: images arrive faster than it can store them")
      }
      return .good("disk speed", text)
    } catch {
      return .fault("disk speed", SystemError.text(of: error), "check or replace the disk")
    }
  }
}
