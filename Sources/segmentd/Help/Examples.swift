import ArgumentParser

/// The end of a command's help.
func examples(_ lines: String...) -> String {
  "\n\nExamples:\n\n" + lines.map { "  " + $0 }.joined(separator: "\n")
}
