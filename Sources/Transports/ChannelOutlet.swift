internal import NIOCore
internal import Synchronization

/// Carries lines to a channel from any thread, without blocking and with a bound on what may wait.
final class ChannelOutlet: Sendable {
    private struct State {
        var pending = ByteBuffer()
        var isFlushScheduled = false
        /// Bytes that the socket hasn't taken.
        var waitingByteCount = 0
        var isClosed = false

        /// What waits is lost, and so is what comes.
        mutating func close() {
            isClosed = true
            pending = ByteBuffer()
        }
    }

    private let channel: any Channel
    private let limit: Int
    private let onOverflow: @Sendable () -> Void
    private let state = Mutex(State())

    init(channel: any Channel, limit: Int, onOverflow: @escaping @Sendable () -> Void) {
        self.channel = channel
        self.limit = limit
        self.onOverflow = onOverflow
        // The event loop may end before its clients' answers do.
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.close() } }
    }

    /// Runs `body` on the event loop; not at all once the channel is closed.
    func schedule(_ body: @escaping @Sendable () -> Void) {
        state.withLock { state in
            if !state.isClosed { channel.eventLoop.execute(body) }
        }
    }

    func write(_ line: String) {
        let isOverflow = state.withLock { state in
            guard !state.isClosed else { return false }
            guard state.waitingByteCount <= limit else {
                state.close()
                return true
            }
            state.waitingByteCount += state.pending.writeString(line)
            if !state.isFlushScheduled { channel.eventLoop.execute { self.flush() } }
            state.isFlushScheduled = true
            return false
        }
        guard isOverflow else { return }
        onOverflow()
        channel.close(promise: nil)
    }

    /// Closes the channel when everything written so far is out.
    func finish() {
        schedule {
            self.flush()
            self.channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
                self.channel.close(promise: nil)
            }
        }
    }

    /// On the event loop.
    private func flush() {
        let buffer = state.withLock { state in
            state.isFlushScheduled = false
            defer { state.pending = ByteBuffer() }
            return state.pending
        }
        guard buffer.readableBytes > 0 else { return }
        let byteCount = buffer.readableBytes
        channel.writeAndFlush(buffer).whenComplete { result in
            self.state.withLock { $0.waitingByteCount -= byteCount }
            if case .failure = result { self.channel.close(promise: nil) }
        }
    }
}
