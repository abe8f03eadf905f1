import Logging

extension Logger {
  /// For a service group, which at level debug describes each service with all that it holds: the whole
  /// configuration with the hashes of its passwords, and clients with their passwords and tokens.
  var ofServices: Logger {
    var logger = self
    logger.logLevel = max(logLevel, .info)
    return logger
  }
}
