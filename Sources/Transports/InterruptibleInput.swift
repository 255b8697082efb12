internal import Glibc
internal import Synchronization

/// Blocking input from a descriptor that another thread can end.
final class InterruptibleInput: Sendable {
    private let descriptor: Int32
    private let isInterrupted = Atomic(false)
    /// A pipe whose reading end becomes readable with the interruption.
    private let signal: (read: Int32, write: Int32)

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var ends: [Int32] = [-1, -1]
        signal = pipe(&ends) == 0 ? (ends[0], ends[1]) : (-1, -1)
    }

    deinit {
        if signal.read >= 0 { close(signal.read) }
        if signal.write >= 0 { close(signal.write) }
    }

    /// Ends a waiting `read(into:)` and all later ones.
    func interrupt() {
        guard !isInterrupted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 0
        if signal.write >= 0 { _ = write(signal.write, &byte, 1) }
    }

    /// Waits for bytes.
    ///
    /// - Returns: how many were read; 0 at the end of input and on failure, nil after
    ///   `interrupt()`.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        while !isInterrupted.load(ordering: .acquiring) {
            var interests = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signal.read, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&interests, 2, -1) >= 0 || errno == EINTR else { return 0 }
            guard interests[0].revents != 0 else { continue }
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK else { return 0 }
        }
        return nil
    }
}
