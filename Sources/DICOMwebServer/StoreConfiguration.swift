/// What a Store service takes.
public struct StoreConfiguration: Sendable {
  /// Of the paths that it answers, as `/dicom-web`; empty for none.
  public var prefix: String
  /// A folder on the file system where received objects will stay.
  public var folder: String
  /// SOP classes that are stored; others fail with 0x0122.
  public var sopClasses: Set<String>
  /// Their transfer syntaxes; others fail with 0xC122.
  public var transferSyntaxes: Set<String>
  public var limits = StoreLimits()

  public init(
    prefix: String, folder: String, sopClasses: [String], transferSyntaxes: [String]
  ) {
    self.prefix = prefix
    self.folder = folder
    self.sopClasses = Set(sopClasses)
    self.transferSyntaxes = Set(transferSyntaxes)
  }
}

/// What a request may cost.
public struct StoreLimits: Sendable, Equatable {
  /// Requests at the same time.
  public var requests = 32
  /// Instances of one request.
  public var instances = 100_000
  /// Seconds for one object, from its first byte to its last.
  public var objectSeconds = 900
  /// Bytes of one object.
  public var objectBytes = 4 << 30
  /// Bytes that have to stay free on the disk: with less, nothing is taken.
  public var diskReserve = 0

  public init() {}
}
