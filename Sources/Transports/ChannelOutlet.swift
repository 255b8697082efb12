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
    }

    private enum Decision { case wait, flush, overflow }

    func write(_ line: String) {
        let decision = state.withLock { state -> Decision in
            guard !state.isClosed else { return .wait }
            guard state.waitingByteCount <= limit else {
                state.isClosed = true
                state.pending = ByteBuffer()
                return .overflow
            }
            state.waitingByteCount += state.pending.writeString(line)
            defer { state.isFlushScheduled = true }
            return state.isFlushScheduled ? .wait : .flush
        }
        switch decision {
        case .wait: break
        case .flush: channel.eventLoop.execute { self.flush() }
        case .overflow:
            onOverflow()
            channel.close(promise: nil)
        }
    }

    /// Closes the channel when everything written so far is out.
    func finish() {
        channel.eventLoop.execute {
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
