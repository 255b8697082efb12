/// gain ⊙ (x − mean) / √(variance + ε) + bias: a norm that an adapter brings along.
///
/// **Source**: arXiv 1607.06450.
public struct LayerNorm: Equatable, Sendable {
    private static let epsilon = 1e-5
    private let gain: [Float]
    private let bias: [Float]

    /// - Parameters:
    ///   - gain: **Shape** [width].
    ///   - bias: **Shape** [width].
    public init(gain: [Float], bias: [Float]) {
        precondition(gain.count == bias.count)
        self.gain = gain
        self.bias = bias
    }

    /// - Parameter values: one row, in place. **Shape** [width].
    func normalize(_ values: UnsafeMutablePointer<Float>) {
        let count = gain.count
        var sum = 0.0
        for index in 0..<count { sum += Double(values[index]) }
        let mean = sum / Double(count)
        var squares = 0.0
        for index in 0..<count {
            let distance = Double(values[index]) - mean
            squares += distance * distance
        }
        let factor = 1 / (squares / Double(count) + Self.epsilon).squareRoot()
        for index in 0..<count {
            values[index] = Float((Double(values[index]) - mean) * factor) * gain[index]
            values[index] += bias[index]
        }
    }
}
