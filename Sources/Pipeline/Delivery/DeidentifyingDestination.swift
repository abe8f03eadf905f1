import DICOMNetwork
import Foundation
import JobLedger
import Results

/// A destination that gets de-identified copies of results. The copies are made when they are sent or asked
/// about, proved, and removed again; by the key they always have the same UIDs.
struct DeidentifyingDestination: ResultDestination {
  let destination: any ResultDestination
  let deidentifier: Deidentifier
  /// Where the copies are made.
  let folder: URL

  var proof: ProofOfArrival? { destination.proof }
  var description: String { destination.description }

  func send(
    _ objects: [OutgoingObject], answered: @escaping @Sendable (Int, SendAnswer) -> Void
  ) async throws(DeliveryFault) -> [SendAnswer] {
    try await withCopies(of: objects) { copies throws(DeliveryFault) in
      try await destination.send(copies, answered: answered)
    }
  }

  func listed(_ objects: [OutgoingObject]) async throws(DeliveryFault) -> Set<String> {
    let listed = try await withCopies(of: objects) { copies throws(DeliveryFault) in
      try await destination.listed(copies)
    }
    return Set(
      objects.map(\.sopInstanceUID).filter { listed.contains(deidentifier.key.uid($0)) })
  }

  func requestCommitment(
    _ transactionUID: String, _ objects: [OutgoingObject],
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DeliveryFault) {
    try await withCopies(of: objects) { copies throws(DeliveryFault) in
      try await destination.requestCommitment(transactionUID, copies, report: report)
    }
  }

  private func withCopies<Answer>(
    of objects: [OutgoingObject],
    _ body: ([OutgoingObject]) async throws(DeliveryFault) -> Answer
  ) async throws(DeliveryFault) -> Answer {
    try await OutgoingCopies.with(
      of: objects, in: folder,
      copy: { object, file in
        try deidentifier.write(object.path, to: file.path)
        return OutgoingObject(
          sopInstanceUID: deidentifier.key.uid(object.sopInstanceUID), path: file.path)
      }, fault: DeliveryFault.init(deidentifying:), body)
  }
}

extension DeliveryFault {
  /// What is wrong with the object is so at each attempt; a disk that is full is not.
  fileprivate init(deidentifying error: any Error) {
    description = "\(error)"
    switch error as? DeidentificationError {
    case .noRule?, .proof?: isPermanent = true
    default: break
    }
  }
}
