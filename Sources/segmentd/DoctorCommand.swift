import ArgumentParser
import ConfigurationFile
import Foundation
import Pipeline
import Wording

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check everything that the daemon needs of this machine and its peers.",
    discussion: """
      Checks the configuration, processor, memory, clock, disk (space, type and speed), ledger, models and their \
      hashes, certificates, ports, and each peer: its name, C-ECHO, and whether it accepts results; a DICOMweb \
      service is queried by QIDO-RS. Says what to do about each fault. Works with or without a running daemon, and \
      leaves nothing behind. Run it as the daemon's user.

      Exit status: 0 if nothing is wrong, 2 if there is a fault, 1 if the configuration cannot be read.
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
        "\(findings.count) looked at: \(counted(faults, "fault")), "
          + counted(warnings, "warning"))
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
