internal import NIOCore
internal import Serving
internal import Synchronization

/// Carries lines to a channel from any thread, without blocking and with bounds on what may wait.
final class ChannelOutlet: Sendable {
    private struct State {
        var pending = ByteBuffer()
        var isFlushScheduled = false
        /// Bytes that the socket hasn't taken.
        var waitingByteCount = 0
        var isClosed = false

        /// What waits is lost, and so is what comes.
        ///
        /// - Returns: bytes that were not given to the channel yet.
        mutating func close() -> Int {
            isClosed = true
            defer { pending = ByteBuffer() }
            return pending.readableBytes
        }
    }

    private let channel: any Channel
    private let bounds: ServingConfiguration
    private let budget: ByteBudget
    private let onOverflow: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - budget: shared with the other channels.
    ///   - onOverflow: called once, when the client reads too slowly.
    init(
        channel: any Channel, bounds: ServingConfiguration, budget: ByteBudget,
        onOverflow: @escaping @Sendable () -> Void
    ) {
        self.channel = channel
        self.bounds = bounds
        self.budget = budget
        self.onOverflow = onOverflow
        // The event loop may end before its clients' answers do.
        channel.closeFuture.whenComplete { _ in
            budget.give(self.state.withLock { $0.close() })
        }
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
            guard hasRoom(beside: state.waitingByteCount) else {
                budget.give(state.close())
                return true
            }
            let byteCount = state.pending.writeString(line)
            state.waitingByteCount += byteCount
            budget.take(byteCount)
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

    /// While the others leave no room, a client may let as much wait as each has for itself.
    private func hasRoom(beside waitingByteCount: Int) -> Bool {
        waitingByteCount <= bounds.maximumOutgoingByteCount
            && (waitingByteCount <= bounds.ownByteCount || !budget.isExhausted)
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
            self.budget.give(byteCount)
            if case .failure = result { self.channel.close(promise: nil) }
        }
    }
}
