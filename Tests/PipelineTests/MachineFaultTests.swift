import Checkpoints
import DICOM
import FileSystem
import Foundation
import Ingest
import JobLedger
import Results
import SeriesProcessing
import TestSupport
import Testing
import UNETRPP

@testable import Pipeline

/// Which errors are faults of the machine, and what becomes of a job that one of them stops.
@Suite struct MachineFaultTests {
  private static let numbers = [
    ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, ENOMEM, EACCES, EPERM, EIO, ESTALE,
  ]

  @Test(arguments: numbers)
  func errorsOfTheSystemAreNamedInWords(number: Int32) throws {
    let system = SystemError(number)
    let write = DICOMError.cannotWrite(file: "/x/y", reason: "", system: system)
    let code = try #require(POSIXErrorCode(rawValue: number))
    let errors: [any Error] = [
      DICOMError.cannotRead(file: "/x/y", reason: "", system: system), write,
      SegmentationError.dicom(write),
      JobFolderError.notWritten(file: "/x/y", reason: "", system: system),
      JobFolderError.unreadable(file: "/x/y", reason: "", system: system),
      ProcessingFault(system, path: "/x/y"),
      NSError(
        domain: NSCocoaErrorDomain, code: 4,
        userInfo: [NSFilePathErrorKey: "/x/y", NSUnderlyingErrorKey: POSIXError(code)]),
      NSError(
        domain: NSPOSIXErrorDomain, code: Int(number), userInfo: [NSFilePathErrorKey: "/x/y"]),
    ]
    let words = String(cString: strerror(number))
    for error in errors {
      let fault = try #require(MachineFault(error), "\(error)")
      #expect(fault.description == words.prefix(1).lowercased() + words.dropFirst() + ": /x/y")
    }
  }

  /// What Foundation itself says of a full device.
  @Test func aFullDeviceIsAFault() throws {
    let error = #expect(throws: (any Error).self) {
      try Data(repeating: 1, count: 1 << 20).write(to: URL(fileURLWithPath: "/dev/full"))
    }
    let fault = try #require(error.flatMap { MachineFault($0) })
    #expect(fault.description.hasPrefix("no space left on device: "), "\(fault)")
  }

  @Test func faultsOfFilesAndSeriesAreNone() {
    let missing = SystemError(ENOENT)
    let errors: [any Error] = [
      DICOMError.notDICOM(file: "x"),
      DICOMError.cannotRead(file: "x", reason: "", system: missing),
      NSError(
        domain: NSCocoaErrorDomain, code: 260,
        userInfo: [NSFilePathErrorKey: "x", NSUnderlyingErrorKey: POSIXError(.ENOENT)]),
      DICOMError.cannotRead(file: "x", reason: "not a regular file"),
      JobFolderError.unreadable(file: "x", reason: "", system: missing),
      JobFolderError.damagedInput(file: "x", wanted: "1", found: "2"),
      SlurmFailure("x"), SlurmFailure("x", .permanent),
      SegmentationError.invalidIdentifier(uid: "x"), LedgerError.failed(path: "x", reason: "y"),
      LedgerError.unknownJob(1),
    ]
    // What is wrong with a bundle itself does not pass by itself.
    #expect(MachineFault(SafetensorsError.malformedHeader(path: "x", byte: 0, reason: "y")) == nil)
    #expect(MachineFault(SafetensorsError.unreadable(path: "x", reason: "y")) != nil)
    #expect(MachineFault(UNETRPP.NetworkError.notEnoughMemory(bytes: 1)) != nil)
    for error in errors { #expect(MachineFault(error) == nil, "\(error)") }
    #expect(MachineFault(SlurmFailure("on node w1: x", .machine))?.description == "on node w1: x")
    #expect(MachineFault(LedgerError.unavailable(path: "x", reason: "full")) != nil)
    #expect(MachineFault(StateDirectoryError.writeFailed(path: "x", reason: "full")) != nil)
  }

  @Test func aFolderThatTakesFilesHasNone() throws {
    let folder = try TemporaryFolder()
    #expect(MachineFault.present(in: folder.url, bytes: 1 << 20) == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    let fault = try #require(MachineFault.present(in: URL(fileURLWithPath: "/proc")))
    #expect(fault.description.hasSuffix(": /proc"))
    // More than any disk has.
    #expect(MachineFault.present(in: folder.url, bytes: 1 << 60) != nil)
  }

  /// Results cannot be written: the job keeps its attempts, and resumes once they can.
  @Test func aJobWaitsWhileResultsCannotBeWritten() async throws {
    let job = try await SmallJob()
    let kept = job.state.results.path + ".kept"
    try FileManager.default.moveItem(atPath: job.state.results.path, toPath: kept)
    // Not even root can make folders there.
    try FileManager.default.createSymbolicLink(
      atPath: job.state.results.path, withDestinationPath: "/sys/kernel")
    for _ in 0..<5 {
      #expect(try await job.runner.runNext(id: job.id) { _ in })
      let waiting = try job.ledger.job(job.id)
      #expect(waiting.job.state == "retryable")
      #expect(waiting.job.reason?.contains(job.state.results.path) == true)
    }
    #expect(try Set(job.ledger.job(job.id).attempts.map(\.outcome)) == ["released"])
    try FileManager.default.removeItem(atPath: job.state.results.path)
    try FileManager.default.moveItem(atPath: kept, toPath: job.state.results.path)
    #expect(try await job.runner.runNext(id: job.id) { _ in })
    #expect(try job.ledger.job(job.id).job.state == "completed")
  }

  /// A series whose files cannot be read now is assembled later, and others are not held up.
  @Test func aSeriesThatCannotBeReadNowIsNotHeld() async throws {
    let job = try await SmallJob(isAssembled: false)
    let assembler = job.assembler
    let files = try job.ledger.instances(series: job.series).current.map {
      job.state.file($0.spoolPath)
    }
    // A link that leads to itself: ELOOP, which root meets too.
    try FileManager.default.moveItem(atPath: files[0].path, toPath: files[0].path + ".kept")
    try FileManager.default.createSymbolicLink(
      atPath: files[0].path, withDestinationPath: files[0].path)
    #expect(throws: MachineFault.self) { try assembler.assembleDue() }
    #expect(try job.ledger.jobs().isEmpty)
    try FileManager.default.removeItem(atPath: files[0].path)
    try FileManager.default.moveItem(atPath: files[0].path + ".kept", toPath: files[0].path)
    try assembler.assembleDue()
    #expect(try job.ledger.jobs().map(\.state) == ["available"])
  }
}
