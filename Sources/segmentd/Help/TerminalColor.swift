import Foundation

/// Colours of words on standard output: on a terminal alone, and not where `NO_COLOR` is set (no-color.org).
enum TerminalColor: Int {
  case red = 31
  case green = 32
  case yellow = 33

  func paint(_ text: String) -> String {
    Self.isWanted(onTerminal: isatty(STDOUT_FILENO) == 1, ProcessInfo.processInfo.environment)
      ? "\u{1b}[\(rawValue)m\(text)\u{1b}[0m" : text
  }

  static func isWanted(onTerminal: Bool, _ environment: [String: String]) -> Bool {
    onTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }
}
