import Foundation

extension SiteConfiguration {
  /// Checks what the types alone cannot.
  ///
  /// - Throws: ``ConfigurationError/invalid(file:line:message:)`` for the first fault, with its key.
  func check(file: String) throws(ConfigurationError) {
    let check = ValueCheck(file: file)
    try checkListeners(check)
    try web?.check(check, hasListeners: !handover.from.isEmpty)
    guard assembly.quietSeconds > 0, assembly.quietSeconds.isFinite else {
      throw check.fault("assembly.quietSeconds: \(assembly.quietSeconds) is not positive")
    }
    if let seconds = assembly.ownIncompleteSeconds, !(seconds > 0 && seconds.isFinite) {
      throw check.fault("assembly.incompleteSeconds: \(seconds) is not positive")
    }
    if let problem = results.problem { throw check.fault("results.\(problem)") }
    if let problem = geometry.problem { throw check.fault("geometry.\(problem)") }
    for entry in watch where !(entry.settleSeconds > 0 && entry.settleSeconds.isFinite) {
      throw check.fault("watch.settleSeconds: \(entry.settleSeconds) is not positive")
    }
    for (key, folder) in models.directories.map({ ("models.directories", $0) })
      + watch.map({ ("watch", $0.folder) })
    {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
        isFolder.boolValue
      else { throw check.fault("\(key): \(folder) is not a folder") }
    }
    guard (0...1024).contains(inference.threads) else {
      throw check.fault("inference.threads: \(inference.threads) is not between 0 and 1024")
    }
    guard (1...64).contains(inference.concurrentJobs) else {
      throw check.fault(
        "inference.concurrentJobs: \(inference.concurrentJobs) is not between 1 and 64")
    }
    guard (0...1e6).contains(inference.memoryLimitGB) else {
      throw check.fault(
        "inference.memoryLimitGB: \(inference.memoryLimitGB) is not between 0 and 1000000")
    }
    guard (0...86_400).contains(inference.checkpointSeconds) else {
      throw check.fault(
        "inference.checkpointSeconds: \(inference.checkpointSeconds) is not between 0 and 86400")
    }
    try checkSlurm(check)
    try checkHandover(check)
    try checkDestinations(check)
    try checkQuerySource(check)
    try checkWorklist(check)
    try checkStorageCommitment(check)
    try checkRetention(check)
    try checkNightlyCheck(check)
    try notifications.check(check)
    try audit.check(check)
    try tracing?.check(check)
  }

  private func checkListeners(_ check: ValueCheck) throws(ConfigurationError) {
    var places = Set<String>()
    for (index, listener) in listeners.enumerated() {
      let name = listeners.count == 1 ? "listener" : "listener[\(index)]"
      try listener.check(check, name: name)
      guard places.insert("\(listener.address):\(listener.port)").inserted else {
        throw check.fault("\(name): \(listener.address):\(listener.port) is used twice")
      }
    }
  }
}
