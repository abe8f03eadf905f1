import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// A connection over which a server reports what happens, as texts of a WebSocket (PS3.18 8.10, RFC 6455).
struct NotificationConnection: Sendable {
  private enum Upgrade: Sendable {
    case done(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>)
    case refused
  }

  /// Bytes of a report.
  private static let most = 1 << 20
  /// Seconds after which a server that says nothing at all counts as gone; it is asked more often.
  private static let silence: Int64 = 20
  private static let pause = 6.0

  let url: URL
  /// The value of the header.
  let authorization: String?
  let tls: TLSConfiguration?

  /// Takes each text until the server closes the connection.
  ///
  /// - Throws: ``DICOMwebError`` where the server opens none, or errors of the network.
  func follow(_ take: @escaping @Sendable (Data) async -> Void) async throws {
    guard case .done(let channel) = try await connect().get() else {
      throw DICOMwebError.malformed(url: url.absoluteString, reason: "it opens no WebSocket")
    }
    try await channel.executeThenClose { inbound, outbound in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          while true {
            try await Task.sleep(for: .seconds(Self.pause))
            try await outbound.write(Self.frame(.ping, ByteBuffer()))
          }
        }
        group.addTask { try await Self.read(inbound, outbound, take) }
        // Whichever ends first.
        defer { group.cancelAll() }
        _ = try await group.next()
      }
    }
  }

  private static func read(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
    _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ take: @Sendable (Data) async -> Void
  ) async throws {
    var text = Data()
    for try await frame in inbound {
      switch frame.opcode {
      case .text, .continuation:
        text.append(contentsOf: frame.unmaskedData.readableBytesView)
        guard text.count <= most else {
          throw DICOMwebError.tooLarge(url: "", reason: "a report is larger than \(most) bytes")
        }
        guard frame.fin else { continue }
        await take(text)
        text = Data()
      case .ping: try await outbound.write(Self.frame(.pong, frame.unmaskedData))
      case .connectionClose:
        try await outbound.write(Self.frame(.connectionClose, frame.unmaskedData))
        return
      default: break
      }
    }
  }

  /// What a client sends is masked (RFC 6455 5.3).
  private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
    WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
  }

  private func connect() async throws -> EventLoopFuture<Upgrade> {
    guard let host = url.host else {
      throw DICOMwebError.malformed(url: url.absoluteString, reason: "it has no host")
    }
    let context = try tls.map { try NIOSSLContext(configuration: $0) }
    let head = requestHead(host)
    return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(.seconds(Self.silence))
      .connect(host: host, port: url.port ?? (tls == nil ? 80 : 443)) { channel in
        channel.eventLoop.makeCompletedFuture {
          if let context {
            // Addresses are no names of servers (RFC 6066 3).
            let isAddress = host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
            let name = isAddress ? nil : host
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: context, serverHostname: name))
          }
          try channel.pipeline.syncOperations.addHandler(
            IdleStateHandler(readTimeout: .seconds(Self.silence)))
          try channel.pipeline.syncOperations.addHandler(ClosingWhenIdle())
          var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: Self.upgrade(head))
          // Reports that come together with the answer to the upgrade.
          configuration.leftOverBytesStrategy = .forwardBytes
          return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: configuration)
        }
      }
  }

  private static func upgrade(_ head: HTTPRequestHead)
    -> NIOTypedHTTPClientUpgradeConfiguration<Upgrade>
  {
    let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(
      maxFrameSize: most,
      upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
          Upgrade.done(
            try NIOAsyncChannel<WebSocketFrame, WebSocketFrame>(
              wrappingChannelSynchronously: channel))
        }
      })
    return NIOTypedHTTPClientUpgradeConfiguration(
      upgradeRequestHead: head, upgraders: [upgrader],
      notUpgradingCompletionHandler: { channel in
        channel.close().map { Upgrade.refused }.flatMapErrorThrowing { _ in Upgrade.refused }
      })
  }

  private func requestHead(_ host: String) -> HTTPRequestHead {
    var headers = HTTPHeaders()
    let shown = host.contains(":") ? "[\(host)]" : host
    let port = url.port.map { ":\($0)" } ?? ""
    headers.add(name: "Host", value: shown + port)
    headers.add(name: "Origin", value: "\(tls == nil ? "http" : "https")://\(shown)\(port)")
    headers.add(name: "User-Agent", value: "segmentd")
    if let authorization { headers.add(name: "Authorization", value: authorization) }
    let path = url.path.isEmpty ? "/" : url.path
    return HTTPRequestHead(
      version: .http1_1, method: .GET, uri: path + (url.query.map { "?\($0)" } ?? ""),
      headers: headers)
  }
}

/// Closes a connection on which nothing came for so long.
private final class ClosingWhenIdle: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }
}
