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
    }

    private let channel: any Channel
    private let limit: Int
    private let onOverflow: @Sendable () -> Void
    private let state = Mutex(State())

    init(channel: any Channel, limit: Int, onOverflow: @escaping @Sendable () -> Void) {
        self.channel = channel
        self.limit = limit
        self.onOverflow = onOverflow
        channel.closeFuture.whenComplete { _ in self.close() }
    }

    /// Runs `body` on the event loop; not at all once the channel is closed, when the loop may have ended.
    func schedule(_ body: @escaping @Sendable () -> Void) {
        state.withLock { state in
            if !state.isClosed { channel.eventLoop.execute(body) }
        }
    }

    /// Nothing is handed to the event loop from here on: it may end before its clients' answers do.
    private func close() {
        state.withLock { state in
            state.isClosed = true
            state.pending = ByteBuffer()
        }
    }

    func write(_ line: String) {
        let isOverflow = state.withLock { state in
            guard !state.isClosed else { return false }
            guard state.waitingByteCount <= limit else {
                state.isClosed = true
                state.pending = ByteBuffer()
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
