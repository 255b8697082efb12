internal import Foundation
internal import Synchronization

/// Writes lines to a file descriptor from a thread of its own, so that a slow reader blocks nobody.
final class OutputQueue: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var isFinished = false
        var hasFailed = false
        /// Whether nobody waits for room any more.
        var isReleased = false
        /// Whether the thread has written everything, or has given up.
        var hasEnded = false
    }

    private let descriptor: Int32
    private let limit: Int
    private let onFailure: @Sendable () -> Void
    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let drained = DispatchSemaphore(value: 0)
    private let ended = AsyncFlag()

    /// - Parameters:
    ///   - limit: bytes that may wait; beyond, the queue fails.
    ///   - onFailure: called once, when the reader is gone or hopelessly slow.
    init(descriptor: Int32, limit: Int, onFailure: @escaping @Sendable () -> Void) {
        self.descriptor = descriptor
        self.limit = limit
        self.onFailure = onFailure
        let thread = Thread { self.run() }
        thread.name = "graft-output"
        thread.start()
    }

    /// Never blocks.
    func write(_ line: String) {
        let hasOverflown = state.withLock { state in
            guard !state.hasFailed, !state.isFinished else { return false }
            guard state.pending.count <= limit else {
                state.hasFailed = true
                return true
            }
            state.pending.append(contentsOf: line.utf8)
            return false
        }
        wakeUp.signal()
        if hasOverflown { onFailure() }
    }

    /// Waits while more than `byteCount` bytes wait for the reader.
    func waitForRoom(byteCount: Int) {
        while state.withLock({
            $0.pending.count > byteCount && !$0.hasFailed && !$0.isReleased
        }) {
            _ = drained.wait(timeout: .now() + .milliseconds(50))
        }
    }

    /// Ends a waiting `waitForRoom(byteCount:)` and all later ones.
    func release() {
        state.withLock { $0.isReleased = true }
        drained.signal()
    }

    /// Gives up what is not written: the reader takes no more. The thread may be left in its last
    /// write.
    ///
    /// - Returns: whether something is lost.
    @discardableResult
    func abandon() -> Bool {
        let isLost = state.withLock { state in
            defer { (state.hasFailed, state.pending) = (true, []) }
            return !state.hasEnded
        }
        wakeUp.signal()
        ended.raise()
        return isLost
    }

    /// Returns when everything is written, or the reader is gone.
    func finish() async {
        state.withLock { $0.isFinished = true }
        wakeUp.signal()
        await ended.wait()
    }

    private func run() {
        while let bytes = take() {
            if !bytes.isEmpty, !FileDescriptorOutput.writeAll(bytes, to: descriptor) {
                let isFirst = state.withLock { state in
                    defer { state.hasFailed = true }
                    return !state.hasFailed
                }
                if isFirst { onFailure() }
            }
            drained.signal()
        }
        state.withLock { $0.hasEnded = true }
        ended.raise()
    }

    /// - Returns: nil when the thread has to end.
    private func take() -> [UInt8]? {
        while true {
            let (bytes, isOver) = state.withLock { state -> ([UInt8], Bool) in
                if state.hasFailed { return ([], true) }
                defer { state.pending = [] }
                return (state.pending, state.pending.isEmpty && state.isFinished)
            }
            if isOver { return nil }
            if !bytes.isEmpty { return bytes }
            wakeUp.wait()
        }
    }
}
