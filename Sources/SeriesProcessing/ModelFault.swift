import Checkpoints
import Results
import Segmentation
import UNETRPP

/// A model that this machine cannot open or hold in memory now, which is not the study's fault.
///
/// What is wrong with a bundle itself, such as a malformed header, is no such fault: it does not pass.
public struct ModelFault: Sendable, Equatable, CustomStringConvertible {
  public let description: String

  /// - Returns: nil where the error is none of these.
  public init?(_ error: any Error) {
    switch error {
    case SafetensorsError.unreadable, ModelBundleError.unreadable, ProofError.modelUnreadable:
      description = "\(error)"
    case UNETRPP.NetworkError.notEnoughMemory: description = "not enough memory: \(error)"
    default: return nil
    }
  }
}
