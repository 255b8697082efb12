internal import CKernels

/// The function between a feed-forward block's products.
public enum Activation: Sendable, CaseIterable {
    /// x / (1 + e⁻ˣ).
    case silu
    /// x · Φ(x), with Φ by the error function.
    ///
    /// **Source**: arXiv 1606.08415.
    case gelu
    /// 0.5 x · (1 + tanh(√(2/π) (x + 0.044715 x³))); the same paper's approximation.
    case geluTanh
    /// max(x, 0).
    case relu
    /// max(x, 0)².
    ///
    /// **Source**: Primer, arXiv 2109.08668.
    case reluSquared
    /// x / (1 + e^(−1.702 x)); the same paper's other approximation.
    case quickGELU

    var kernelActivation: gk_activation {
        switch self {
        case .silu: GK_SILU
        case .gelu: GK_GELU
        case .geluTanh: GK_GELU_TANH
        case .relu: GK_RELU
        case .reluSquared: GK_RELU_SQUARED
        case .quickGELU: GK_QUICK_GELU
        }
    }
}

extension Vectors {
    /// values = activation(values) ⊙ factors
    ///
    /// - Parameter factors: nil for 1.
    public static func activate(
        _ activation: Activation, _ values: UnsafeMutablePointer<Float>,
        times factors: UnsafePointer<Float>?, count: Int
    ) {
        gk_activate(activation.kernelActivation, values, factors, count)
    }

    /// gate = silu(gate) ⊙ up
    public static func siluMultiply(
        gate: UnsafeMutablePointer<Float>, up: UnsafePointer<Float>, count: Int
    ) {
        gk_activate(GK_SILU, gate, up, count)
    }

    /// values = cap · tanh(values / cap)
    ///
    /// **Source**: Gemma 2, arXiv 2408.00118.
    public static func softCap(
        _ values: UnsafeMutablePointer<Float>, at cap: Float, count: Int
    ) {
        gk_soft_cap(values, cap, count)
    }
}
