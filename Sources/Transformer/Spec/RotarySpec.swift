/// How positions turn queries and keys.
///
/// **Source**: RoFormer, arXiv 2104.09864; linear scaling, arXiv 2306.15595; YaRN, arXiv
/// 2309.00071; the frequency-dependent scaling of Llama 3.1 as its model card and `config.json`
/// describe it; LongRoPE, arXiv 2402.13753.
public struct RotarySpec: Equatable, Sendable {
    public enum Scaling: Equatable, Sendable {
        case none
        /// Positions divided by this factor.
        case linear(factor: Float)
        case llama3(
            factor: Float, lowFrequencyFactor: Float, highFrequencyFactor: Float,
            originalPositionCount: Float)
        /// A divisor for each pair of the head, as GGUF's `rope_freqs.weight` gives it.
        case divisors([Float])
        case yarn(
            factor: Float, fastRotations: Float, slowRotations: Float, truncates: Bool,
            originalPositionCount: Float)
    }

    /// The base of the geometric series of wavelengths.
    public let theta: Float
    /// Values of a head that are turned, from its first on.
    public internal(set) var dimension: Int
    /// Whether pairs are neighbours (2i, 2i + 1); else they are (i, i + dimension / 2).
    public var isInterleaved = false
    public let scaling: Scaling
    /// Factor on cosines and sines.
    public var magnitude: Float = 1

    init(
        theta: Float, dimension: Int, isInterleaved: Bool = false, scaling: Scaling = .none,
        magnitude: Float = 1
    ) {
        self.theta = theta
        self.dimension = dimension
        self.isInterleaved = isInterleaved
        self.scaling = scaling
        self.magnitude = magnitude
    }
}
