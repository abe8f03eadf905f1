/// What the further values of Image Type (0008,0008) say: the standard's terms (PS3.3 C.8.2.1.1.1,
/// C.8.3.1.1.1, C.8.13.3.1.1) and vendors' own.
enum ImageTypes {
  /// Images that are no slices of a volume, whatever else they say.
  static let neverSlices: Set = [
    "LOCALIZER", "SCOUT", "SCREEN SAVE", "SCREEN_SAVE", "SCREENSHOT", "MIP", "MINIP", "MAX_IP",
    "MIN_IP", "PROJECTION IMAGE", "PROJECTION", "VOLUME RENDERING", "VOLUME_RENDER", "VOLREN",
    "VRT",
    "DOSE_INFO", "REPORT", "PASTED",
  ]

  /// Reformats, and maps of quantities that are not those of the source images.
  private static let computed: Set = [
    "MPR", "CSA MPR", "CPR", "CURVED", "REFORMATTED", "RESAMPLED", "ADC", "EADC", "EXP", "FA", "RA",
    "MD", "TENSOR", "TENSOR_B0", "PERFUSION", "CBF", "RCBF", "CBV", "RCBV", "MTT", "RMTT", "TTP",
    "TMAX", "PBP", "GBP", "SUBTRACT", "SUBTRACTION", "SUB", "ADDITION", "PROCESSED", "POST_PROC",
    "T-TEST", "STATISTIC", "Z_SCORE", "PARAMETRIC", "FUSION", "COLOR", "COLFA",
  ]

  /// - Parameter value: in capitals.
  static func isComputed(_ value: String) -> Bool {
    if computed.contains(value) || value.hasSuffix(" MPR") { return true }
    let words = value.split { $0 == " " || $0 == "_" || $0 == "-" }
    return words.contains { $0 == "MAP" || $0 == "MAPS" }
  }
}
