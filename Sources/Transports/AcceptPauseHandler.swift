internal import NIOCore

/// Accepts no clients for a moment after that has failed: without free descriptors it would fail at
/// once, again and again.
///
/// The socket is taken out of what the event loop waits for. NIO's own handler for this
/// (`AcceptBackoffHandler`) holds back further reads only, and the one that has just failed is
/// still pending where nothing was accepted before it: the loop would call it for as long as a
/// client waits.
final class AcceptPauseHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    static let pause = TimeAmount.milliseconds(500)

    private let onFailure: (IOError) -> Void
    private var resumption: Scheduled<Void>?

    init(onFailure: @escaping (IOError) -> Void) {
        self.onFailure = onFailure
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        onFailure(error)
        guard resumption == nil, accepts(false, context) else { return }
        let handler = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        resumption = context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = handler.value
            handler.resumption = nil
            _ = handler.accepts(true, context)
        }
    }

    /// - Returns: whether the channel is still open.
    private func accepts(_ isAccepting: Bool, _ context: ChannelHandlerContext) -> Bool {
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: isAccepting)
            return true
        } catch {
            return false
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        resumption?.cancel()
        resumption = nil
    }
}
