internal import NIOCore
internal import Serving

/// Cuts a socket's bytes into lines; stops reading while too many wait to be handled.
final class LineChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: SocketConnection
    private let backlogLimit: Int
    private var framer: LineFramer
    private var isReadHeld = false

    /// - Parameter lineLimit: bytes of a line; also what may wait to be handled.
    init(connection: SocketConnection, lineLimit: Int) {
        self.connection = connection
        backlogLimit = lineLimit
        framer = LineFramer(limit: lineLimit)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        buffer.withUnsafeReadableBytes { bytes in
            framer.append(bytes) { line in
                connection.receive(line) { handler.value.resumeReading(boundContext.value) }
            }
        }
    }

    func read(context: ChannelHandlerContext) {
        if connection.backlog > backlogLimit {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard isReadHeld, connection.backlog <= backlogLimit else { return }
        isReadHeld = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            framer.finish { connection.receive($0) {} }
            connection.finish()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
