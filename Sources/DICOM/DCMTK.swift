import CDCMTK
import Logging

/// The process-wide state of DCMTK: prepared once, on first use.
package enum DCMTK {
  private static let logger = Logger(label: "segmentd.dcmtk")

  private static let preparation: DICOMError? = {
    var error = cdcmtk_error()
    let code = cdcmtk_initialize(
      { _, name, _ in
        guard let name else { return }
        // The message itself may quote the patient's attributes, so that it is not shown.
        DCMTK.logger.debug("a message of \(String(cString: name)) is not shown")
      }, &error)
    return code == CDCMTK_OK.code ? nil : .toolkitUnavailable(reason: error.text)
  }()

  /// - Throws: ``DICOMError/toolkitUnavailable(reason:)`` where the data dictionary is missing.
  package static func prepare() throws(DICOMError) {
    if let preparation { throw preparation }
  }
}
