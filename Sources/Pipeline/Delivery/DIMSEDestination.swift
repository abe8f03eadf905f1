import DICOM
import DICOMNetwork
import Foundation
import JobLedger

/// A DICOM application that takes results by C-STORE, and proves that it keeps them by storage commitment
/// or C-FIND.
public struct DIMSEDestination: ResultDestination {
  public let proof: ProofOfArrival?
  private let peer: Peer
  private let storage: StorageSCU
  private let query: QueryRetrieveSCU
  private let commitment: CommitmentSCU

  public var description: String { "\(peer)" }

  /// - Parameters:
  ///   - peer: who takes results.
  ///   - callingAETitle: by which we call.
  ///   - proof: how it is asked for proof; nil where it is not.
  ///   - timeout: seconds for the connection, the association and each answer.
  ///   - reportPatience: seconds for which a report on storage commitment is waited for over the
  ///     association of the request.
  public init(
    peer: Peer, callingAETitle: String, proof: ProofOfArrival? = nil, timeout: Int = 30,
    reportPatience: Int = 5
  ) {
    self.peer = peer
    self.proof = proof
    storage = StorageSCU(callingAETitle: callingAETitle, timeout: timeout)
    var limits = QueryRetrieveSCU.Limits()
    limits.timeout = timeout
    query = QueryRetrieveSCU(callingAETitle: callingAETitle, limits: limits)
    commitment = CommitmentSCU(
      callingAETitle: callingAETitle, timeout: timeout, patience: reportPatience)
  }

  public func send(
    _ objects: [OutgoingObject], answered: @escaping @Sendable (Int, SendAnswer) -> Void
  ) async throws(DeliveryFault) -> [SendAnswer] {
    do {
      let outcomes = try await storage.store(objects.map(\.path), to: peer) { index, outcome in
        answered(index, answer(outcome))
      }
      return outcomes.map(answer)
    } catch {
      throw DeliveryFault(error)
    }
  }

  /// Of statuses only 0xA7xx, out of resources, passes (PS3.4 B.2.3).
  private func answer(_ outcome: StoreOutcome) -> SendAnswer {
    switch outcome {
    case .stored: .stored(status: 0, note: nil)
    case .alreadyStored: .stored(status: 0x0111, note: "0x0111: it had the object already")
    case .storedWithWarning(let status, let message):
      .stored(status: status, note: String(format: "warning 0x%04X: ", status) + message)
    case .refused(0x0122, let message):
      .notSupported(.refused("\(peer) refused it with 0x0122: \(message)"), status: 0x0122)
    case .refused(let status, let message):
      .failed(
        .refused(
          "\(peer) refused it with " + String(format: "0x%04X: ", status) + message,
          isPermanent: !(0xA700...0xA7FF).contains(status)), status: status)
    case .notSent(let reason): .failed(.unreachable("\(peer): \(reason)"), status: nil)
    case .notAccepted(let reason): .notSupported(.refused("\(peer): \(reason)"), status: nil)
    }
  }

  public func listed(_ objects: [OutgoingObject]) async throws(DeliveryFault) -> Set<String> {
    var listed = Set<String>()
    for place in try objects.places() {
      do {
        let matches = try await query.instances(
          ofSeries: place.series, study: place.study, patientID: place.patientID, at: peer)
        listed.formUnion(matches.map(\.sopInstanceUID))
      } catch {
        throw DeliveryFault(error)
      }
    }
    return listed
  }

  public func requestCommitment(
    _ transactionUID: String, _ objects: [OutgoingObject],
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DeliveryFault) {
    let references = try objects.references()
    let status: UInt16
    do {
      status = try await commitment.request(transactionUID, references, of: peer, report: report)
    } catch {
      throw DeliveryFault(error)
    }
    guard status != 0 else { return }
    // Processing failure and resource limitation pass (PS3.7 C.5).
    throw .refused(
      "\(peer) refused to be asked for storage commitment, "
        + CommitmentFailure.meaning(of: status),
      isPermanent: status != 0x0110 && status != 0x0213)
  }
}

extension DeliveryFault {
  init(_ error: DICOMNetworkError) {
    description = error.description
    switch error {
    case .rejected: (failure, isPermanent) = (.refused, true)
    case .noAssociation: failure = .unreachable
    default: break
    }
  }

  fileprivate init(_ error: QueryRetrieveError) {
    description = error.description
    failure = error.isPassing ? .unreachable : .refused
    isPermanent = !error.isPassing && error != .cancelled
    // The peer's own words may be about the patient.
    if case .refused(let peer, let service, let status, _) = error {
      description = "\(peer) answered \(service) with " + String(format: "0x%04X", status)
    }
    if case .notSupported = error {
      description += "; set verify: none for it and retry"
    }
  }
}

/// Where objects are to be found at a destination.
struct ObjectPlace: Hashable {
  var study: String
  var series: String
  /// The unique key above the study, for an archive that knows the patient root only.
  var patientID: String
}

extension [OutgoingObject] {
  /// The series that the objects are in, each once.
  func places() throws(DeliveryFault) -> Set<ObjectPlace> {
    var places = Set<ObjectPlace>()
    for object in self {
      let dataset = try object.file().dataset
      places.insert(
        ObjectPlace(
          study: dataset.text(.studyInstanceUID) ?? "",
          series: dataset.text(.seriesInstanceUID) ?? "",
          patientID: dataset.text(.patientID) ?? ""))
    }
    return places
  }

  fileprivate func references() throws(DeliveryFault) -> [CommitmentReference] {
    var references: [CommitmentReference] = []
    for object in self {
      do {
        references.append(
          CommitmentReference(
            sopClassUID: try object.file().identity().sopClassUID,
            sopInstanceUID: object.sopInstanceUID))
      } catch let error as DICOMError {
        throw DeliveryFault(description: error.description)
      } catch let fault as DeliveryFault {
        throw fault
      } catch {
        throw DeliveryFault(description: "\(error)")
      }
    }
    return references
  }
}

extension OutgoingObject {
  fileprivate func file() throws(DeliveryFault) -> DICOMFile {
    do { return try DICOMFile(path: path) } catch {
      throw DeliveryFault(description: error.description)
    }
  }
}
