/// What becomes of a series of which it is known that instances may be missing: some were refused and
/// have not arrived since, or an association broke off and nothing was sent again.
public enum IncompleteSeries: String, Decodable, Sendable, CaseIterable {
  /// It is held until they arrive.
  case hold
  /// It is processed as it is, and the verdict names what is missing.
  case process
}
