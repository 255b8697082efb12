/// Logits of the rows that a step was asked for, in slice order; valid until the next step.
///
/// **Shape**: [rowCount, vocabularyCount].
public struct StepLogits {
    public let pointer: UnsafeMutablePointer<Float>
    public let rowCount: Int
    public let vocabularyCount: Int

    public init(pointer: UnsafeMutablePointer<Float>, rowCount: Int, vocabularyCount: Int) {
        self.pointer = pointer
        self.rowCount = rowCount
        self.vocabularyCount = vocabularyCount
    }

    /// The logits of one row, [vocabularyCount].
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index < rowCount)
        return UnsafeMutableBufferPointer(
            start: pointer + index * vocabularyCount, count: vocabularyCount)
    }
}
