/// The version of this program, as written into every result.
public enum SegmentdVersion {
  public static let current = "0.1.0"
}
