/// Logits of the rows that a step was asked for, in slice order; valid until the next step.
public struct StepLogits {
    /// **Shape**: [rowCount, stride].
    public let pointer: UnsafeMutablePointer<Float>
    public let rowCount: Int
    /// From one row to the next.
    public let stride: Int
    /// How many logits each row has; nil: `stride`.
    private let counts: UnsafePointer<Int32>?

    /// Rows that all have as many logits.
    public init(pointer: UnsafeMutablePointer<Float>, rowCount: Int, vocabularyCount: Int) {
        self.pointer = pointer
        self.rowCount = rowCount
        stride = vocabularyCount
        counts = nil
    }

    /// - Parameter counts: logits of each row, up to `stride`.
    init(
        pointer: UnsafeMutablePointer<Float>, rowCount: Int, stride: Int,
        counts: UnsafePointer<Int32>
    ) {
        self.pointer = pointer
        self.rowCount = rowCount
        self.stride = stride
        self.counts = counts
    }

    /// The logits of one row: one for each token of its plan's vocabulary.
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index < rowCount)
        return UnsafeMutableBufferPointer(
            start: pointer + index * stride, count: counts.map { Int($0[index]) } ?? stride)
    }
}
