import Foundation

/// nnU-Net's `dataset.json`, of version 1 or 2: labels and channels by name.
struct DatasetFile {
  /// Values of the labels with their names, without background and the label `ignore`.
  let labels: [Int: String]
  /// In the network's order.
  let channels: [String]

  private struct Contents: Decodable {
    /// Version 1: names by value; version 2: values, or lists of them, by name.
    var labels: [String: Entry]
    var channelNames: [String: String]?
    var modality: [String: String]?

    enum CodingKeys: String, CodingKey {
      case labels, modality
      case channelNames = "channel_names"
    }
  }

  private enum Entry: Decodable {
    case name(String)
    case value(Int)
    case region([Int])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let value = try? container.decode(Int.self) {
        self = .value(value)
      } else if let name = try? container.decode(String.self) {
        self = .name(name)
      } else {
        self = .region(try container.decode([Int].self))
      }
    }
  }

  init(path: String) throws(ModelImportError) {
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(
        Contents.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw .dataset(path: path, reason: "is not nnU-Net's dataset.json with labels")
    }
    var labels: [Int: String] = [:]
    for (key, entry) in contents.labels {
      let (value, name): (Int, String)
      switch entry {
      case .name(let text):
        guard let number = Int(key) else {
          throw .dataset(path: path, reason: "the label \"\(key)\" is no number")
        }
        (value, name) = (number, text)
      case .value(let number): (value, name) = (number, key)
      case .region:
        throw .dataset(
          path: path,
          reason:
            "the label \"\(key)\" is a region of several values: networks that are trained on "
            + "overlapping regions cannot be imported, only those with one class for each value")
      }
      guard value > 0, name != "ignore" else { continue }
      guard labels.updateValue(name, forKey: value) == nil else {
        throw .dataset(path: path, reason: "two labels have the value \(value)")
      }
    }
    self.labels = labels
    channels = (contents.channelNames ?? contents.modality ?? [:])
      .compactMap { key, name in Int(key).map { ($0, name) } }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
