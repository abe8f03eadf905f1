import ArgumentParser

@main
struct Segmentd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "segmentd", subcommands: [ForwardCommand.self])
}
