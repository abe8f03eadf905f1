/// A coded concept: what a code of a coding scheme means (PS3.3 section 8).
///
/// ```swift
/// let kidney = CodedConcept(value: "64033007", scheme: "SCT", meaning: "Kidney")
/// ```
public struct CodedConcept: Sendable, Equatable, Codable {
  /// Code Value (0008,0100).
  public var value: String
  /// Coding Scheme Designator (0008,0102), for example SCT or DCM.
  public var scheme: String
  /// Code Meaning (0008,0104).
  public var meaning: String

  public init(value: String, scheme: String, meaning: String) {
    self.value = value
    self.scheme = scheme
    self.meaning = meaning
  }
}
