import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// Takes entries to a syslog server.
struct SyslogConnection: Sendable {
  let channel: any Channel
  private let isDatagram: Bool

  /// - Throws: what NIO throws where there is no server, or its certificate is not trusted.
  static func open(_ server: SyslogServer) async throws -> SyslogConnection {
    let group = MultiThreadedEventLoopGroup.singleton
    switch server.transport {
    case .udp:
      let address = try await onThread {
        try SocketAddress.makeAddressResolvingHost(server.host, port: server.port)
      }
      let channel = try await DatagramBootstrap(group: group).connect(to: address).get()
      return SyslogConnection(channel: channel, isDatagram: true)
    case .tcp:
      let channel = try await ClientBootstrap(group: group).connectTimeout(.seconds(10))
        .connect(host: server.host, port: server.port).get()
      return SyslogConnection(channel: channel, isDatagram: false)
    case .tls(let trusted, let certificate, let key, let verifiesServer):
      var tls = TLSConfiguration.makeClientConfiguration()
      tls.minimumTLSVersion = .tlsv12
      if let trusted { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trusted)) }
      if let certificate, let key {
        tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map {
          .certificate($0)
        }
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
      }
      if !verifiesServer { tls.certificateVerification = .none }
      let context = try NIOSSLContext(configuration: tls)
      // An address has no place in the server name (RFC 6066 3); NIOSSL checks it against the certificate.
      let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
      // Of each of the host's addresses that is tried.
      let handshakes = Mutex<[ObjectIdentifier: EventLoopPromise<Void>]>([:])
      defer {
        for handshake in handshakes.withLock({ $0.values }) { handshake.fail(ChannelError.eof) }
      }
      let channel = try await ClientBootstrap(group: group).connectTimeout(Self.patience)
        .channelInitializer { channel in
          let handshake = channel.eventLoop.makePromise(of: Void.self)
          handshakes.withLock { $0[ObjectIdentifier(channel)] = handshake }
          return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers([
              try NIOSSLClientHandler(
                context: context, serverHostname: isAddress ? nil : server.host),
              HandshakeHandler(handshake),
            ])
          }
        }
        .connect(host: server.host, port: server.port).get()
      let connection = SyslogConnection(channel: channel, isDatagram: false)
      let handshake = handshakes.withLock { $0[ObjectIdentifier(channel)] }
      try await connection.patiently { try await handshake?.futureResult.get() }
      return connection
    }
  }

  /// For each step of a server that does not answer.
  private static let patience = TimeAmount.seconds(10)

  /// Returns once the system has taken it.
  func send(_ entry: SyslogEntry) async throws {
    let bytes = isDatagram ? Array(entry.line.utf8) : entry.counted
    try await patiently { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }
  }

  /// Closes the connection where a step fails or takes too long, which ends the step.
  private func patiently(_ step: () async throws -> Void) async throws {
    let timer = channel.eventLoop.scheduleTask(in: Self.patience) { [channel] in
      channel.close(promise: nil)
    }
    defer { timer.cancel() }
    do { try await step() } catch {
      await close()
      throw error
    }
  }

  func close() async { try? await channel.close() }
}

/// Says how the TLS handshake ended, and closes the connection where it failed or breaks later.
private final class HandshakeHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let promise: EventLoopPromise<Void>

  init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent { promise.succeed() }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(ChannelError.eof)
    context.fireChannelInactive()
  }
}

/// Runs what blocks outside the cooperative pool.
private func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws
  -> Value
{
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
  }
}
