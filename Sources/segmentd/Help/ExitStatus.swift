import ArgumentParser

/// What a command ends with; `Documentation.docc/CommandLine.md` says the same.
///
/// | status | meaning |
/// |---|---|
/// | 0 (`success`) | it was done, and nothing is wrong |
/// | 1 (`failure`) | it could not be done: a file, a configuration or a ledger that cannot be used; no job that meets the conditions |
/// | 2 (`findings`) | it was done, and something needs a person: held series, damaged or missing files, faults |
/// | 64 (`validationFailure`) | the command line is wrong |
/// | 74 (`machineFault`) | `work` came to no result for a fault of its machine: a full disk, no memory, a file that cannot be read |
/// | 75 (`interrupted`) | `work` was stopped and is to be run again |
extension ExitCode {
  static let findings = ExitCode(2)
  /// As EX_IOERR of sysexits.h.
  static let machineFault = ExitCode(74)
  /// As EX_TEMPFAIL of sysexits.h.
  static let interrupted = ExitCode(75)
}
