import Volumes
import Wording

/// What may be done with a series, or with one of its volumes.
public enum Verdict: String, Sendable, Equatable, Codable {
  /// Regular as it is.
  case accepted
  /// Usable after a repair that its findings name.
  case repaired
  /// Waits for a person; the problems say why.
  case held
}

/// One volume of a series with the gate's verdict on it.
public struct AssessedVolume: Sendable, Equatable, Codable {
  /// The frames in slice order and their grid.
  public var stack: SliceStack
  public var verdict: Verdict
  /// What was found in this volume: problems and repairs.
  public var findings: [GeometryFinding]

  public init(stack: SliceStack, verdict: Verdict, findings: [GeometryFinding]) {
    self.stack = stack
    self.verdict = verdict
    self.findings = findings
  }

  /// What a person chooses it by: "EchoTime=80, 24 slices 3 mm apart".
  public var text: String {
    let step = formatted(stack.grid.affine.stepAlongNormal)
    let slices = "\(counted(stack.grid.slices, "slice")) \(step) mm apart"
    return stack.name.isEmpty ? slices : "\(stack.name), \(slices)"
  }
}
