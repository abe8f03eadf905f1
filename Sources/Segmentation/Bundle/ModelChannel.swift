import SeriesSelection
import Yams

/// One of several images that a network is shown together, and the series that it is made of.
public struct ModelChannel: Sendable, Equatable {
  /// As in the training data, for example `t1ce`.
  public var name: String
  /// What the series must be, and what makes one better than another.
  public var criteria: SeriesCriteria
  /// Whether the result lies on this series' images; the other series are brought to its grid.
  public var isReference: Bool

  public init(name: String, criteria: SeriesCriteria, isReference: Bool = false) {
    self.name = name
    self.criteria = criteria
    self.isReference = isReference
  }
}

extension ModelChannel: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case name, reference, require, prefer, minimumScore
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
    self.init(
      name: try values.decode(String.self, forKey: .name),
      criteria: try SeriesCriteria(besideOtherKeysOf: decoder),
      isReference: try values.decodeIfPresent(Bool.self, forKey: .reference) ?? false)
  }

  /// The channels in the network's order; exactly one becomes the reference.
  static func list(_ node: BundleNode, inputChannels: Int) throws(ModelBundleError)
    -> [ModelChannel]
  {
    var channels: [ModelChannel] = []
    for item in try node.items() {
      do {
        channels.append(try YAMLDecoder().decode(ModelChannel.self, from: item.node))
      } catch let error as DecodingError {
        throw item.invalid("does not describe a channel: \(error.cause)")
      } catch {
        throw item.invalid("does not describe a channel: \(error)")
      }
    }
    guard channels.count == inputChannels else {
      throw node.invalid("has not one entry for each of \(inputChannels) channels")
    }
    guard Set(channels.map(\.name)).count == channels.count else {
      throw node.invalid("gives a name to two channels")
    }
    switch channels.count(where: \.isReference) {
    case 0: channels[0].isReference = true
    case 1: break
    default: throw node.invalid("has more than one reference")
    }
    return channels
  }
}
