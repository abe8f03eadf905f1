/// A number for a message.
///
/// - Parameters:
///   - number: what is written.
///   - decimals: the most that are shown.
package func formatted(_ number: Double, decimals: Int) -> String {
  guard number.isFinite, abs(number) < 1e9 else { return "\(number)" }
  let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
  return "\((number * scale).rounded() / scale)"
}
