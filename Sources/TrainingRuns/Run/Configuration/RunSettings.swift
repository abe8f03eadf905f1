import Foundation
import Segmentation
import Training

/// All that decides the numbers of a run, as texts by key: a run resumes only with the same ones.
struct RunSettings: Sendable, Equatable {
  private(set) var values: [String: String]

  /// How often a run is stored changes no number.
  private static let free = "checkpointSeconds"

  /// - Parameters:
  ///   - options: how the network is trained.
  ///   - augmentation: how patches are drawn and changed.
  ///   - model: the sections of the model; nil for none.
  ///   - more: such as digests of the data.
  init(
    _ options: TrainingOptions, augmentation: AugmentationOptions? = nil,
    model: ModelDocument? = nil, more: [String: String] = [:]
  ) throws {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(options))
    var values = more
    Self.flatten(object, "", into: &values)
    values[Self.free] = nil
    if let augmentation { Self.describe(augmentation, "augmentation", into: &values) }
    for (key, text) in model?.scalars ?? [:] { values["model.\(key)"] = text }
    self.values = values
  }

  /// The stored properties of a value, by their names.
  private static func describe(_ value: Any, _ path: String, into values: inout [String: String]) {
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
      guard let wrapped = mirror.children.first?.value else {
        values[path] = "off"
        return
      }
      return describe(wrapped, path, into: &values)
    }
    guard mirror.displayStyle == .struct, !(value is ClosedRange<Double>) else {
      values[path] = "\(value)"
      return
    }
    for (label, child) in mirror.children {
      describe(child, "\(path).\(label ?? "")", into: &values)
    }
  }

  init(json: String) throws {
    values = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(values), as: UTF8.self)
  }

  /// The first key, in alphabetical order, whose value is not the same.
  func difference(from other: RunSettings) -> (key: String, own: String?, other: String?)? {
    Set(values.keys).union(other.values.keys).sorted()
      .first { values[$0] != other.values[$0] }
      .map { ($0, values[$0], other.values[$0]) }
  }

  private static func flatten(_ object: Any, _ path: String, into values: inout [String: String]) {
    switch object {
    case let mapping as [String: Any]:
      for (key, value) in mapping {
        flatten(value, path.isEmpty ? key : "\(path).\(key)", into: &values)
      }
    case let list as [Any]:
      for (index, value) in list.enumerated() { flatten(value, "\(path)[\(index)]", into: &values) }
    default: values[path] = "\(object)"
    }
  }
}
