import Foundation
import StrictYAML
import Training

/// What `train.yaml` says, but for the section `model`, which is a `ModelDocument`.
///
/// ```swift
/// let configuration = try TrainingConfiguration.load("train.yaml")
/// print(configuration.output, configuration.steps)
/// ```
public struct TrainingConfiguration: Decodable, Sendable, Equatable {
  /// The folder of the run.
  public var output: String
  public var data: [DataSource]
  public var split: SplitSettings
  /// The bundle whose weights the training begins with; nil for random ones.
  public var initialModel: String?
  /// 0: one for each processor.
  public var threads: Int
  /// What prepared cases may take of memory, in 10⁹ bytes; the others are kept on disk.
  public var caseMemoryGB: Double
  public var options: TrainingOptions
  public var augmentation: AugmentationSettings

  /// What `threads` may be.
  public static let threadCounts = 0...1024
  static let defaultCaseMemoryGB = 4.0

  private enum Keys: String, CodingKey, CaseIterable {
    case output, data, split, model, initialModel, threads, caseMemoryGB, augmentation
  }

  public init(from decoder: any Decoder) throws {
    _ = try decoder.keys(known: Keys.allCases.map(\.rawValue) + TrainingOptions.keys)
    let values = try decoder.container(keyedBy: Keys.self)
    output = try values.path(.output)
    data = try values.decode([DataSource].self, forKey: .data)
    split = try values.decode(SplitSettings.self, forKey: .split)
    initialModel = try values.pathIfPresent(.initialModel)
    threads = try values.number(.threads, in: Self.threadCounts, or: 0)
    caseMemoryGB = try values.number(.caseMemoryGB, in: 0...1e6, or: Self.defaultCaseMemoryGB)
    options = try TrainingOptions(from: decoder)
    augmentation =
      try values.decodeIfPresent(AugmentationSettings.self, forKey: .augmentation) ?? .init()
    guard !data.isEmpty else {
      throw DecodingError.dataCorruptedError(
        forKey: .data, in: values, debugDescription: "names no folder")
    }
  }

  /// Reads and checks a file; relative paths are taken from its folder.
  ///
  /// - Throws: `YAMLFileError` with file, line and key.
  public static func load(_ file: String) throws(YAMLFileError) -> TrainingConfiguration {
    var configuration = try StrictYAMLDecoder().decode(TrainingConfiguration.self, file: file)
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
    func resolve(_ path: inout String) {
      path = URL(fileURLWithPath: path, relativeTo: folder).standardizedFileURL.path
    }
    resolve(&configuration.output)
    for index in configuration.data.indices {
      resolve(&configuration.data[index].images)
      resolve(&configuration.data[index].labels)
    }
    func resolve(_ path: inout String?) {
      guard var given = path else { return }
      resolve(&given)
      path = given
    }
    resolve(&configuration.split.file)
    resolve(&configuration.initialModel)
    return configuration
  }
}

/// Where cases are.
public struct DataSource: Codable, Sendable, Equatable {
  /// A folder of NIfTI files or DICOM series.
  public var images: String
  /// A folder of NIfTI files or DICOM SEG.
  public var labels: String

  private enum Keys: String, CodingKey, CaseIterable { case images, labels }

  public init(images: String, labels: String) {
    self.images = images
    self.labels = labels
  }

  /// One folder that holds both, by name or within `images` and `labels`.
  public init(folder: String) { self.init(images: folder, labels: folder) }

  /// A mapping of `images` and `labels`, or one folder that holds both.
  public init(from decoder: any Decoder) throws {
    if let folder = try? decoder.singleValueContainer().decode(String.self) {
      guard !folder.isEmpty else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "is empty"))
      }
      self.init(folder: folder)
      return
    }
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    self.init(
      images: try values.path(.images), labels: try values.path(.labels))
  }
}

extension KeyedDecodingContainer {
  /// A number within bounds.
  ///
  /// - Parameter fallback: where the key is not there; nil where it must be.
  func number<Value: Decodable & Comparable>(
    _ key: Key, in range: ClosedRange<Value>, or fallback: Value? = nil
  ) throws -> Value {
    if let fallback, !contains(key) { return fallback }
    let value = try decode(Value.self, forKey: key)
    guard range.contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(value) is not from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A path, which is not empty: an empty one would be the folder of the configuration.
  func path(_ key: Key) throws -> String { try checked(decode(String.self, forKey: key), key) }

  func pathIfPresent(_ key: Key) throws -> String? {
    try decodeIfPresent(String.self, forKey: key).map { try checked($0, key) }
  }

  private func checked(_ path: String, _ key: Key) throws -> String {
    guard !path.isEmpty else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "is empty")
    }
    return path
  }

  /// One of a list of words.
  func word<Value: RawRepresentable & CaseIterable>(_ key: Key, or fallback: Value) throws -> Value
  where Value.RawValue == String {
    guard let text = try decodeIfPresent(String.self, forKey: key) else { return fallback }
    guard let value = Value(rawValue: text) else {
      let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\"\(text)\" is none of \(known)")
    }
    return value
  }
}
