import Checkpoints
import Results
import Segmentation
import UNETRPP

/// Failures of a job.
public enum JobFailure {
  /// Whether another attempt would end in the same way: the model cannot be used as it is, or the result
  /// is not what it should be. Faults of the machine are told apart first (``ModelFault``).
  public static func isPermanent(_ error: any Error) -> Bool {
    switch error {
    // The next attempt is made with the bundle as it is now.
    case ProofError.modelChanged: false
    case is ModelBundleError, is ModelLibraryError, is NetworkError, is SafetensorsError,
      is ProofError:
      true
    default: false
    }
  }
}
