/// Whether a value comes before another: by number where both begin with one.
func precedes(_ a: String, _ b: String) -> Bool {
  if let x = leadingNumber(a), let y = leadingNumber(b), x != y { return x < y }
  return a < b
}

/// The number with which a value begins.
func leadingNumber(_ text: String) -> Double? {
  Double(text.prefix { $0.isNumber || $0 == "." || $0 == "-" })
}
