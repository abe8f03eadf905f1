import HTTPTypes
import Logging
import NIOCore
import NIOHTTPTypes

/// Keeps a connection within its limits of time, and the server within its number of connections.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// What the client is doing.
  private enum Phase { case sendingHead, sendingBody, waiting }

  private let connections: Connections
  private let logger: Logger
  private var connection: Connection?
  private var isRejected = false
  private var phase = Phase.sendingHead
  /// Whether the first request has come.
  private var hasSentRequest = false
  private var hasAnswered = false
  private var closesAfterAnswer = false
  private var deadline: NIODeadline?
  private var timer: (task: Scheduled<Void>, fires: NIODeadline)?
  /// What was left of the time for a portion of the body when we became busy with what had come.
  private var timeLeft: TimeAmount?
  private var portion = 0
  /// A body gets its time anew with so many bytes, so that a byte now and then does not keep a connection.
  private static let portionSize = 4096
  /// A body that nobody wants any more is thrown away for so long, so that the client reads the answer.
  private static let drainTime = TimeAmount.seconds(5)

  init(_ connections: Connections, logger: Logger) {
    self.connections = connections
    self.logger = logger
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(context)
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end(context) }

  private func begin(_ context: ChannelHandlerContext) {
    guard connection == nil else { return }
    let connection = Connection(context.channel)
    self.connection = connection
    switch connections.admit(connection) {
    case .admitted: break
    case .rejected: isRejected = true
    case .dropped: context.close(promise: nil)
    }
    if isRejected || !context.channel.isActive {
      logger.warning(
        "HTTP connection refused: too many connections",
        metadata: ["address": "\(connection.address)"])
    }
    expect(within: .seconds(Int64(connections.limits.headerSeconds)), context)
  }

  private func end(_ context: ChannelHandlerContext) {
    timer?.task.cancel()
    timer = nil
    deadline = nil
    connections.remove(context.channel)
  }

  // MARK: Requests

  /// Called where more of a request is wanted, and not while we are busy with what has come.
  func read(context: ChannelHandlerContext) {
    if deadline == nil {
      switch phase {
      case .sendingBody:
        expect(within: timeLeft ?? .seconds(Int64(connections.limits.bodySeconds)), context)
      case .sendingHead:
        expect(within: .seconds(Int64(connections.limits.idleSeconds)), context)
      case .waiting: break
      }
    }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if isRejected { return reject(part, context) }
    // A body that is being thrown away does not get more time.
    if !hasAnswered { stopClock(part) }
    switch part {
    case .head: begin()
    case .body: break
    case .end:
      phase = .waiting
      connection?.state.withLock { $0.isRequestWhole = true }
      if hasAnswered {
        finish(context)
        if closesAfterAnswer { context.close(promise: nil) }
      }
    }
    context.fireChannelRead(data)
  }

  /// Until more is wanted.
  private func stopClock(_ part: HTTPRequestPart) {
    if let deadline { timeLeft = max(.zero, deadline - .now()) }
    deadline = nil
    if case .body(let buffer) = part {
      portion += buffer.readableBytes
      guard portion >= Self.portionSize else { return }
    }
    portion = 0
    timeLeft = nil
  }

  private func begin() {
    phase = .sendingBody
    hasSentRequest = true
    hasAnswered = false
    connection?.state.withLock { state in
      state.hasRequest = true
      state.isRequestWhole = false
    }
  }

  private func reject(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
    guard case .head = part else { return }
    answer(.serviceUnavailable, [.retryAfter: "30"], context)
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head):
      if head.headerFields[.connection]?.lowercased() == "close" { closesAfterAnswer = true }
      context.write(data, promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      hasAnswered = true
      let isOver = phase != .sendingBody
      if isOver && closesAfterAnswer {
        let promise = promise ?? context.eventLoop.makePromise()
        closeAfter(promise.futureResult, context)
        context.write(data, promise: promise)
      } else {
        context.write(data, promise: promise)
      }
      if isOver { finish(context) } else { expect(within: Self.drainTime, context) }
    }
  }

  private func closeAfter(_ write: EventLoopFuture<Void>, _ context: ChannelHandlerContext) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    write.whenComplete { _ in bound.value.close(promise: nil) }
  }

  /// After a request and its answer.
  private func finish(_ context: ChannelHandlerContext) {
    phase = .sendingHead
    connection?.state.withLock { state in
      state.hasRequest = false
      state.idleSince = .now()
    }
    expect(within: .seconds(Int64(connections.limits.idleSeconds)), context)
  }

  /// Who does not read what we write is given up like one who does not write.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      if phase == .waiting { deadline = nil }
    } else {
      expect(within: .seconds(Int64(connections.limits.bodySeconds)), context)
    }
    context.fireChannelWritabilityChanged()
  }

  /// An answer of our own, after which the connection ends.
  private func answer(
    _ status: HTTPResponse.Status, _ fields: HTTPFields, _ context: ChannelHandlerContext
  ) {
    var fields = fields
    fields[.connection] = "close"
    fields[.contentLength] = "0"
    context.write(
      wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: fields))), promise: nil)
    closeAfter(context.writeAndFlush(wrapOutboundOut(.end(nil))), context)
  }

  // MARK: Time

  private func expect(within time: TimeAmount, _ context: ChannelHandlerContext) {
    deadline = .now() + time
    schedule(context)
  }

  /// One timer at a time, which looks whether the deadline has been put off.
  private func schedule(_ context: ChannelHandlerContext) {
    guard let deadline else { return }
    if let timer {
      guard deadline < timer.fires else { return }
      timer.task.cancel()
    }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let task = context.eventLoop.scheduleTask(deadline: deadline) {
      let (handler, context) = bound.value
      handler.timer = nil
      guard let deadline = handler.deadline else { return }
      if deadline <= .now() { handler.giveUp(context) } else { handler.schedule(context) }
    }
    timer = (task, deadline)
  }

  private func giveUp(_ context: ChannelHandlerContext) {
    deadline = nil
    guard context.channel.isActive else { return }
    connection?.state.withLock { $0.fault = $0.fault ?? .timedOut }
    let isInRequest = phase == .sendingBody || !hasSentRequest
    guard isInRequest, !hasAnswered, context.channel.isWritable else {
      context.close(promise: nil)
      return
    }
    logger.info(
      "HTTP connection closed: the client was too slow",
      metadata: ["address": "\(connection?.address ?? "")"])
    answer(.requestTimeout, [:], context)
    // Also where the client does not read that, or has not even ended its TLS handshake.
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: .seconds(1)) { bound.value.close(promise: nil) }
  }
}
