/// The version of this program.
public enum SegmentdVersion {
  public static let current = "0.3.0"
  /// The version since which the program gives the results that it gives, as written into every result.
  ///
  /// It is raised to the version that changes any byte of a result for the same images, model and
  /// settings: then results of before are made anew when they are asked for again. A version that
  /// changes none leaves it.
  public static let results = "0.3.0"
}
