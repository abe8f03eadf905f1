/// The SOP classes of the images that are segmented.
public enum ImageStorage {
  /// CT and MR image storage, classic, enhanced and legacy converted (PS3.4 B.5).
  public static let sopClasses = [
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
  ]
}
