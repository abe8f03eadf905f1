import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Look at all that the daemon needs of this machine and its peers.",
    discussion: """
      Looks at the configuration, processor, memory, clock, disk (space, kind and speed), ledger, models \
      and their hashes, certificates, ports, and at each peer: its name, C-ECHO, and whether it takes \
      results; a DICOMweb service is asked by QIDO-RS. Says of each fault what to do. Works with the daemon \
      up or down, and leaves nothing behind. Run it as the daemon's user.

      Exit status: 0 where nothing is wrong, 2 where there is a fault, 1 where the configuration cannot be \
      read.
      """
        + examples("segmentd doctor", "sudo -u segmentd segmentd doctor --json"))

  @OptionGroup var config: ConfigurationOption

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let diagnosis = Diagnosis(try config.load())
    var findings: [Finding] = []
    for await finding in diagnosis.findings() {
      if !json { print(finding.line) }
      findings.append(finding)
    }
    if json { print(try encodeJSON(findings)) }
    let faults = findings.filter { $0.level == .fault }.count
    let warnings = findings.filter { $0.level == .warning }.count
    if !json {
      print(
        "\(findings.count) looked at: \(faults) fault\(faults == 1 ? "" : "s"), "
          + "\(warnings) warning\(warnings == 1 ? "" : "s")")
    }
    guard faults == 0 else { throw ExitCode.findings }
  }
}

extension Finding {
  /// For people.
  fileprivate var line: String {
    let sign =
      switch level {
      case .good: TerminalColor.green.paint("ok     ")
      case .warning: TerminalColor.yellow.paint("warning")
      case .fault: TerminalColor.red.paint("FAULT  ")
      }
    return "\(sign) \(subject): \(text)" + (advice.map { "\n        → \($0)" } ?? "")
  }
}
