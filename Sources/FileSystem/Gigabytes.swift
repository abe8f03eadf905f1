/// The bytes of so many GB (10⁹ bytes), as settings give them; to the nearest byte, for a product of floating
/// point can be a hair below a whole number.
public func byteCount(gigabytes: Double) -> Int {
  Int((gigabytes * 1e9).rounded())
}
