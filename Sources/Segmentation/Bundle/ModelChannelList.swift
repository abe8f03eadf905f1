import SeriesSelection
import StrictYAML
import Wording

extension ModelChannel {
  /// The channels in the network's order; exactly one becomes the reference.
  static func list(_ node: BundleNode, inputChannels: Int) throws(ModelBundleError)
    -> [ModelChannel]
  {
    var channels: [ModelChannel] = []
    for item in try node.items() {
      channels.append(try item.decode(ModelChannel.self))
    }
    guard channels.count == inputChannels else {
      throw node.invalid("has not one entry for each of \(counted(inputChannels, "channel"))")
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
