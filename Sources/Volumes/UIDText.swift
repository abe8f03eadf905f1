/// Whether the text is a UID: components of digits, 64 characters in all (PS3.5 section 9.1).
package func isUID(_ text: String) -> Bool {
  guard !text.isEmpty, text.utf8.count <= 64 else { return false }
  return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { component in
    !component.isEmpty && component.utf8.allSatisfy { (48...57).contains($0) }
  }
}
