import DICOMNetwork

/// An archive that says what it has and gives it.
public protocol QuerySource: Sendable, CustomStringConvertible {
  /// The series of a study, or the one that is named; none where the archive does not know the study.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - series: Series Instance UID; nil for all.
  ///   - patientID: for an archive that knows the patient root only; empty where unknown.
  /// - Throws: ``QuerySourceError``
  func series(ofStudy study: String, only series: String?, patientID: String)
    async throws(QuerySourceError) -> [SeriesMatch]

  /// The instances of a series.
  ///
  /// - Parameters:
  ///   - series: Series Instance UID.
  ///   - study: Study Instance UID.
  ///   - patientID: for an archive that knows the patient root only; empty where unknown.
  /// - Throws: ``QuerySourceError``
  func instances(ofSeries series: String, study: String, patientID: String)
    async throws(QuerySourceError) -> [InstanceMatch]

  /// Has instances brought into spool and ledger. When it returns, what came is there, or refused and
  /// recorded as such.
  ///
  /// - Parameters:
  ///   - identifier: which instances.
  ///   - progress: told of objects that are done and that remain.
  /// - Throws: ``QuerySourceError``
  func retrieve(
    _ identifier: QueryIdentifier, progress: @escaping @Sendable (RetrievalProgress) -> Void
  ) async throws(QuerySourceError) -> RetrievalOutcome
}

/// Why an archive did not answer.
public struct QuerySourceError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// It is away, or too busy now.
    case unreachable
    /// It answered that it does not, or in a way that cannot be used.
    case refused
    case cancelled
  }

  public var kind: Kind
  public var description: String

  public init(kind: Kind, description: String) {
    self.kind = kind
    self.description = description
  }

  init(_ error: QueryRetrieveError) {
    self.init(
      kind: error == .cancelled ? .cancelled : error.isPassing ? .unreachable : .refused,
      description: error.description)
  }
}
