/// How labels reach the image's slices where the network's are further apart.
///
/// Matters only where the in-plane and the through-plane spacing differ by more than a factor of
/// three; elsewhere all three axes are interpolated.
public enum ThroughPlaneInterpolation: String, Sendable, Codable, CaseIterable {
  /// The nearest slice of the network, as the reference implementation does (nnU-Net's `order_z` 0):
  /// neighbouring slices of the image can have the same labels.
  case nearest
  /// The probabilities of the two adjacent slices, weighted by distance (`order_z` 1).
  case linear
}
