import Foundation

extension SiteConfiguration {
  /// Checks what the types alone cannot.
  func check(file: String) throws(ConfigurationError) {
    func fail(_ message: String) -> ConfigurationError {
      .invalid(file: file, line: nil, message: message)
    }
    func checkPort(_ port: Int, _ name: String) throws(ConfigurationError) {
      guard (1...65535).contains(port) else {
        throw fail("\(name): port \(port) is not between 1 and 65535")
      }
    }
    func checkAETitle(_ title: String, _ name: String) throws(ConfigurationError) {
      // PS3.5 6.2: at most 16 characters, no backslash, no control characters.
      let allowed = title.unicodeScalars.allSatisfy {
        (0x20...0x7e).contains($0.value) && $0 != "\\"
      }
      let trimmed = title.trimmingCharacters(in: .whitespaces)
      guard !trimmed.isEmpty, trimmed == title, title.utf8.count <= 16, allowed else {
        throw fail(
          "\(name): \"\(title)\" is not an AE title (1 to 16 characters, no backslash, no space at "
            + "either end)")
      }
    }
    if let listener {
      try checkPort(listener.port, "listener.port")
      try checkAETitle(listener.aeTitle, "listener.aeTitle")
      for title in listener.callingAETitles {
        try checkAETitle(title, "listener.callingAETitles")
      }
      guard listener.maximumAssociations > 0 else {
        throw fail("listener.maximumAssociations: \(listener.maximumAssociations) is not positive")
      }
    }
    guard assembly.quietSeconds > 0, assembly.quietSeconds.isFinite else {
      throw fail("assembly.quietSeconds: \(assembly.quietSeconds) is not positive")
    }
    if let problem = geometry.problem { throw fail("geometry.\(problem)") }
    for entry in watch where !(entry.settleSeconds > 0 && entry.settleSeconds.isFinite) {
      throw fail("watch.settleSeconds: \(entry.settleSeconds) is not positive")
    }
    for folder in models.directories + watch.map(\.folder) {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
        isFolder.boolValue
      else { throw fail("\(folder) is not a folder") }
    }
    guard (0...1024).contains(inference.threads) else {
      throw fail("inference.threads: \(inference.threads) is not between 0 and 1024")
    }
    guard (0...1e6).contains(inference.memoryLimitGB) else {
      throw fail("inference.memoryLimitGB: \(inference.memoryLimitGB) is not between 0 and 1000000")
    }
    try checkDestinations(checkPort, checkAETitle, fail)
  }

  private func checkDestinations(
    _ checkPort: (Int, String) throws(ConfigurationError) -> Void,
    _ checkAETitle: (String, String) throws(ConfigurationError) -> Void,
    _ fail: (String) -> ConfigurationError
  ) throws(ConfigurationError) {
    var names = Set<String>()
    for destination in destinations {
      guard !destination.name.isEmpty, names.insert(destination.name).inserted else {
        throw fail("destinations: the name \"\(destination.name)\" is empty or used twice")
      }
      guard !destination.host.isEmpty else {
        throw fail("destinations.\(destination.name).host is empty")
      }
      try checkPort(destination.port, "destinations.\(destination.name)")
      try checkAETitle(destination.aeTitle, "destinations.\(destination.name)")
    }
  }
}
