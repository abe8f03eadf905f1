import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import Results

/// A destination where a result is added to earlier ones: what it gets does not name the series whose place it takes
/// at others. The copies are made when they are sent, proved, and removed again; they have the UIDs of the objects.
struct AddingDestination: ResultDestination {
  let destination: any ResultDestination
  /// Where the copies are made.
  let folder: URL

  var proof: ProofOfArrival? { destination.proof }
  var description: String { destination.description }

  func send(
    _ objects: [OutgoingObject], answered: @escaping @Sendable (Int, SendAnswer) -> Void
  ) async throws(DeliveryFault) -> [SendAnswer] {
    try await OutgoingCopies.with(
      of: objects, in: folder, copy: Self.copy, fault: DeliveryFault.init(adding:)
    ) { copies throws(DeliveryFault) in
      try await destination.send(copies, answered: answered)
    }
  }

  private static func copy(_ object: OutgoingObject, to file: URL) throws -> OutgoingObject {
    guard try AddedCopy.write(object.path, to: file.path) else { return object }
    return OutgoingObject(sopInstanceUID: object.sopInstanceUID, path: file.path)
  }

  func listed(_ objects: [OutgoingObject]) async throws(DeliveryFault) -> Set<String> {
    try await destination.listed(objects)
  }

  func requestCommitment(
    _ transactionUID: String, _ objects: [OutgoingObject],
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DeliveryFault) {
    try await destination.requestCommitment(transactionUID, objects, report: report)
  }
}

extension DeliveryFault {
  /// What is wrong with the object is so at each attempt; a disk that is full is not.
  fileprivate init(adding error: any Error) {
    description = "\(error)"
    isPermanent = error is ProofError
  }
}
