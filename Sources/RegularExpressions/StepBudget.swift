internal import Synchronization

/// Steps that several expressions share: those of one adapter, for example.
public final class StepBudget: Sendable {
    private let left: Mutex<Int>

    public init(_ count: Int) { left = Mutex(count) }

    /// Calls `body` with the steps that are left, of which it takes what it uses.
    public func withSteps<Result>(
        _ body: (inout Int) throws(ExpressionError) -> Result
    ) throws(ExpressionError) -> Result {
        var steps = left.withLock { $0 }
        let before = steps
        defer {
            let used = before - steps
            left.withLock { $0 -= used }
        }
        return try body(&steps)
    }
}
