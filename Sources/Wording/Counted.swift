/// A count with its noun, and what agrees with it, for a message: "1 image", "2 images", "1 entry waits",
/// "2 entries wait".
///
/// - Parameters:
///   - count: how many there are.
///   - one: what follows the number 1.
///   - several: what follows any other number; nil for the first with an s.
package func counted(
  _ count: some BinaryInteger, _ one: String, _ several: String? = nil
) -> String {
  "\(count) \(count == 1 ? one : several ?? one + "s")"
}
