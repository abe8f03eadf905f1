/// The SOP classes of segmentation objects (PS3.4 B.5).
public enum SegmentationStorage {
  /// Segmentation Storage.
  public static let sopClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
  /// Label Map Segmentation Storage.
  public static let labelMapSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
}
