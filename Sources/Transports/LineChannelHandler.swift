internal import NIOCore
internal import Serving

/// Cuts a socket's bytes into lines; stops reading while too many wait to be handled.
final class LineChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: SocketConnection
    private var framer: LineFramer
    private var isReadHeld = false
    /// Whether the first byte that counts is still to come, and must be `{`.
    private var awaitsObject: Bool
    private var isRefused = false
    private let onRefusal: () -> Void

    /// - Parameters:
    ///   - beginsWithObject: whether a connection that begins with anything else is closed, as one
    ///     that a web page made must be.
    ///   - onRefusal: called where that happens.
    init(
        connection: SocketConnection, service: any LineService, beginsWithObject: Bool,
        onRefusal: @escaping () -> Void
    ) {
        self.connection = connection
        awaitsObject = beginsWithObject
        self.onRefusal = onRefusal
        framer = LineFramer(
            limit: service.bounds.maximumLineByteCount, ownByteCount: service.bounds.ownByteCount,
            budget: service.incomingBytes)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard !isRefused, begins(buffer) else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        buffer.withUnsafeReadableBytes { bytes in
            framer.append(bytes) { line in
                connection.receive(line) { handler.value.resumeReading(boundContext.value) }
            }
        }
    }

    /// Whether what has come can be the protocol's.
    private func begins(_ buffer: ByteBuffer) -> Bool {
        guard awaitsObject,
            let first = buffer.readableBytesView.first(where: { !Self.isWhiteSpace($0) })
        else { return true }
        awaitsObject = false
        guard first != UInt8(ascii: "{") else { return true }
        isRefused = true
        onRefusal()
        connection.refuse(.notTheProtocol)
        return false
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    func read(context: ChannelHandlerContext) {
        if connection.isBusy {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard isReadHeld, !connection.isBusy else { return }
        isReadHeld = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            if !isRefused { framer.finish { connection.receive($0) {} } }
            connection.finish()
        } else if event is IdleStateHandler.IdleStateEvent, connection.isIdle {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        framer.abandon()
        connection.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Tells a client why it isn't served, and closes its connection.
final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let line: String

    init(_ refusal: ConnectionRefusal) {
        line = refusal.line
    }

    func channelActive(context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let buffer = ByteBuffer(string: line)
        context.value.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in
            context.value.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
