import CDCMTK
import DICOM
import Foundation

/// What DCMTK's threads call for storage commitment.
extension Callbacks {
  /// Calls `body` with the callbacks, or nil where storage commitment is not offered.
  func withCommitment<Value>(
    _ body: (UnsafePointer<cdcmtk_commitment_handlers>?) -> Value
  ) -> Value {
    guard handlers.commitment != nil else { return body(nil) }
    var callbacks = cdcmtk_commitment_handlers()
    callbacks.request = { context, association, bytes, count, syntax in
      guard let self = Callbacks.at(context), let bytes, let syntax else {
        return ActionStatus.processingFailure.rawValue
      }
      return self.requestCommitment(
        association, Data(bytes: bytes, count: count), String(cString: syntax)
      ).rawValue
    }
    callbacks.next_report = { context, association, sink, sinkContext in
      guard let self = Callbacks.at(context), let sink,
        let association = Association(association),
        let report = self.handlers.commitment?.nextReport(over: association)
      else { return }
      report.withC { sink(sinkContext, $0) }
    }
    callbacks.reported = { context, number, status in
      Callbacks.at(context)?.handlers.commitment?.reported(number, status: status)
    }
    callbacks.report = { context, association, bytes, count, syntax in
      guard let self = Callbacks.at(context), let bytes, let syntax else {
        return ActionStatus.processingFailure.rawValue
      }
      return self.takeReport(
        association, Data(bytes: bytes, count: count), String(cString: syntax)
      ).rawValue
    }
    callbacks.context = Unmanaged.passUnretained(self).toOpaque()
    return withUnsafePointer(to: callbacks) { body($0) }
  }

  private func takeReport(
    _ association: UnsafePointer<cdcmtk_association>?, _ information: Data, _ syntax: String
  ) -> ActionStatus {
    guard let handler = handlers.commitment, let association = Association(association) else {
      return .processingFailure
    }
    do throws(ReportFault) {
      return handler.take(
        try ReportedCommitment(information: information, transferSyntaxUID: syntax),
        over: association)
    } catch {
      return error.status
    }
  }

  private func requestCommitment(
    _ association: UnsafePointer<cdcmtk_association>?, _ information: Data, _ syntax: String
  ) -> ActionStatus {
    guard let handler = handlers.commitment, let association = Association(association) else {
      return .processingFailure
    }
    guard
      let dataset = try? Dataset(
        message: information, transferSyntaxUID: syntax, name: "Action Information")
    else { return .invalidArgumentValue }
    let references = dataset.items(.referencedSOPSequence).map(CommitmentReference.init)
    guard let transaction = dataset.text(.transactionUID), !transaction.isEmpty,
      !references.isEmpty
    else { return .missingAttribute }
    let uids = references.flatMap { [$0.sopClassUID, $0.sopInstanceUID] } + [transaction]
    guard uids.allSatisfy(DICOMUID.isValid) else { return .invalidArgumentValue }
    return handler.request(
      CommitmentRequest(
        association: association, transactionUID: transaction, references: references))
  }
}

extension CommitmentReport {
  /// Calls `body` with the report as C knows it, valid until it returns.
  func withC<Value>(_ body: (UnsafePointer<cdcmtk_commitment_report>) -> Value) -> Value {
    let texts = outcomes.flatMap { [$0.reference.sopClassUID, $0.reference.sopInstanceUID] }
    return withCStrings([transactionUID] + texts) { strings in
      let references = outcomes.indices.map {
        cdcmtk_commitment_reference(
          sop_class_uid: strings[2 * $0 + 1], sop_instance_uid: strings[2 * $0 + 2],
          failure_reason: outcomes[$0].failure?.rawValue ?? 0)
      }
      return references.withUnsafeBufferPointer { references in
        var report = cdcmtk_commitment_report(
          number: number, transaction_uid: strings[0], references: references.baseAddress,
          reference_count: references.count)
        return body(&report)
      }
    }
  }
}
