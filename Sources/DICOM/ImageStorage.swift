/// The SOP classes of the images that are segmented.
public enum ImageStorage {
  /// CT, MR and PET image storage, classic, enhanced and legacy converted (PS3.4 B.5).
  public static let sopClasses = [
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.128.1",
    "1.2.840.10008.5.1.4.1.1.130",
  ]

  /// Whether objects of a class are pictures without planes in the patient's space: ultrasound,
  /// multi-frame secondary captures, and visible light with microscopy (PS3.4 B.5).
  public static func hasNoPlanes(_ sopClassUID: String) -> Bool {
    let root = "1.2.840.10008.5.1.4.1.1."
    guard sopClassUID.hasPrefix(root) else { return false }
    let rest = sopClassUID.dropFirst(root.count)
    return ["3", "3.1", "6", "6.1"].contains(rest) || rest.hasPrefix("7.")
      || rest.hasPrefix("77.1.")
  }
}
