import ArgumentParser

/// Channels that the user chooses by hand.
struct ChannelOptions: ParsableArguments {
  @Option(
    name: .customLong("channel"),
    help: ArgumentHelp(
      "For a model with several channels: the series to use for this channel, whatever the criteria say.",
      valueName: "name=uid"))
  var channels: [String] = []

  func validate() throws { _ = try chosen() }

  /// Series Instance UIDs by the channels' names.
  func chosen() throws -> [String: String] {
    var chosen: [String: String] = [:]
    for text in channels {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw ValidationError("--channel \(text) is not NAME=UID")
      }
      guard chosen.updateValue(parts[1], forKey: parts[0]) == nil else {
        throw ValidationError("--channel names \(parts[0]) twice")
      }
    }
    return chosen
  }
}
