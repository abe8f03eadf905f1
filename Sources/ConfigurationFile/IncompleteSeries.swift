import StrictYAML

/// What happens to a series that is known to lack instances, or may lack some: instances were refused
/// and have not arrived since, or an association was interrupted and nothing was sent again.
public enum IncompleteSeries: String, YAMLChoice, Sendable {
  /// It is held until they arrive.
  case hold
  /// It is processed as it is, and the verdict names what is missing.
  case process
}
