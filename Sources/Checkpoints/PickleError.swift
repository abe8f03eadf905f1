import Wording

/// Why a pickle is not read. `file` is the path, with the archive's entry where it has one.
public enum PickleError: Error, Equatable, Sendable, CustomStringConvertible {
  case truncated(file: String, offset: Int, wanted: Int)
  case unsupportedProtocol(file: String, offset: Int, version: UInt8)
  case unknownOpcode(file: String, offset: Int, opcode: UInt8)
  /// The pickle names a Python object that no checkpoint needs; nothing of it was run.
  case refusedGlobal(file: String, offset: Int, name: String)
  /// The pickle calls a known object in a way that no checkpoint needs.
  case refusedCall(file: String, offset: Int, name: String, reason: String)
  case malformed(file: String, offset: Int, opcode: String, reason: String)
  case limit(file: String, offset: Int, what: String, limit: Int)
  case bytesAfterEnd(file: String, offset: Int, count: Int)

  public var description: String {
    switch self {
    case .truncated(let file, let offset, let wanted):
      "\(file): the pickle ends too early: \(counted(wanted, "byte is", "bytes are")) wanted at byte \(offset)"
    case .unsupportedProtocol(let file, let offset, let version):
      "\(file): pickle protocol \(version) at byte \(offset) is not one of 2 to 5"
    case .unknownOpcode(let file, let offset, let opcode):
      "\(file): the pickle's opcode 0x\(String(opcode, radix: 16)) at byte \(offset) has no place "
        + "in a checkpoint"
    case .refusedGlobal(let file, let offset, let name):
      "\(file): the pickle names \(name) at byte \(offset), which no checkpoint needs; nothing of "
        + "it was run. " + Self.advice(name)
    case .refusedCall(let file, let offset, let name, let reason):
      "\(file): the pickle calls \(name) at byte \(offset): \(reason)"
    case .malformed(let file, let offset, let opcode, let reason):
      "\(file): malformed pickle, \(opcode) at byte \(offset): \(reason)"
    case .limit(let file, let offset, let what, let limit):
      "\(file): the pickle has more \(what) than the \(limit) allowed, at byte \(offset)"
    case .bytesAfterEnd(let file, let offset, let count):
      "\(file): \(counted(count, "byte follows", "bytes follow")) the end of the pickle at byte \(offset)"
    }
  }

  /// Modules that run programs, read or write files, or reach the network or any other object.
  private static let dangerous: Set<String> = [
    "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "importlib", "runpy",
    "pty", "shutil", "socket", "ctypes", "webbrowser", "commands", "pickle", "marshal", "types",
    "operator", "functools", "code", "pip", "urllib", "requests",
  ]

  private static func advice(_ name: String) -> String {
    let module = name.split(separator: ".").first.map(String.init) ?? ""
    guard !dangerous.contains(module), name.contains("."), !module.isEmpty else {
      return "Do not trust this file"
    }
    return "If it is your own, save the weights alone where it was trained, torch.save("
      + "model.state_dict(), \"weights.pt\"), and import that file; otherwise do not trust it"
  }
}
