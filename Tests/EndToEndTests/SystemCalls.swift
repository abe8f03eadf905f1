import Foundation
import TestSupport

/// What a program asked the system for, in order, as strace(1) saw it.
struct SystemCalls {
  struct Call {
    /// The lines of the trace at which it began and returned.
    var began: Int
    var returned: Int
    var name: String
    /// Arguments and result, as strace prints them.
    var text: String
    var isSuccess: Bool
  }

  let calls: [Call]

  /// strace needs the right to trace, which some containers do not give.
  static let canBeTraced: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/strace")
    process.arguments = ["-qq", "-e", "trace=none", "/bin/true"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()
  static let cannotBeTraced = "strace is not here, or may not trace"

  /// The command that runs a program under strace and becomes it, so that signals reach it.
  static func tracing(into file: URL, _ names: String) -> [String] {
    [
      "/usr/bin/strace", "-D", "-f", "-qq", "-yy", "-s", "5000", "-e", "trace=\(names)", "-o",
      file.path,
    ]
  }

  init(_ file: URL) throws {
    var open: [String: (line: Int, text: String)] = [:]
    var calls: [Call] = []
    let trace = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    for (number, line) in trace.split(separator: "\n").enumerated() {
      let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
      guard parts.count == 2 else { continue }
      let thread = String(parts[0])
      var text = parts[1].drop { $0 == " " }
      var began = number
      if text.hasSuffix("<unfinished ...>") {
        open[thread] = (number, String(text.dropLast("<unfinished ...>".count)))
        continue
      }
      if text.hasPrefix("<... "), let end = text.range(of: " resumed>"),
        let call = open.removeValue(forKey: thread)
      {
        began = call.line
        text = Substring(call.text + text[end.upperBound...])
      }
      guard let bracket = text.firstIndex(of: "("),
        let equals = text.range(of: " = ", options: .backwards)
      else { continue }
      calls.append(
        Call(
          began: began, returned: number, name: String(text[..<bracket]), text: String(text),
          isSuccess: !text[equals.upperBound...].hasPrefix("-1")))
    }
    self.calls = calls
  }

  /// The first successful call of one of the names that contains every text, from a line on.
  func first(_ names: String..., containing texts: [String], from line: Int = 0) -> Call? {
    calls.first { call in
      call.began >= line && call.isSuccess && names.contains(call.name)
        && texts.allSatisfy(call.text.contains)
    }
  }

  /// The last call that contains every text.
  func last(_ names: String..., containing texts: [String]) -> Call? {
    calls.last { call in names.contains(call.name) && texts.allSatisfy(call.text.contains) }
  }
}
