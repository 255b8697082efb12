internal import Synchronization

/// Bytes that many holders share, such as the lines of all connections.
public final class ByteBudget: Sendable {
    public let limit: Int
    private let heldByteCount = Atomic(0)

    public init(limit: Int) {
        self.limit = max(0, limit)
    }

    /// Bytes held now; may pass the limit by what was taken regardless.
    public var byteCount: Int { heldByteCount.load(ordering: .relaxed) }

    /// Whether nothing is left.
    public var isExhausted: Bool { byteCount >= limit }

    /// Holds bytes if there is room for them.
    public func tryTake(_ count: Int) -> Bool {
        let (before, _) = heldByteCount.add(count, ordering: .relaxed)
        guard before + count > limit else { return true }
        give(count)
        return false
    }

    /// Holds bytes whether or not there is room: they are there already.
    public func take(_ count: Int) {
        heldByteCount.add(count, ordering: .relaxed)
    }

    /// Gives bytes back that were taken.
    public func give(_ count: Int) {
        heldByteCount.subtract(count, ordering: .relaxed)
    }
}
