internal import Checkpoints

// Draws of projections that aren't in the file, but made again from a seed.
extension TorchGenerator {
    /// `uniform_(−bound, bound)` of so many f32 values.
    ///
    /// **Source**: ATen's `uniform_kernel` and `at::uniform_real_distribution<float>`, torch 2.13;
    /// its product and sum are rounded once, as vector instructions of the machines in use do.
    mutating func uniform(count: Int, bound: Float) -> [Float] {
        (0..<count).map { _ in uniform(bound: bound) }
    }

    /// The same of bf16 values: rounded, and those that would be the upper bound are the lower one.
    mutating func uniformBF16(count: Int, bound: Float) -> [Float] {
        let limit = Self.rounded(bound)
        return (0..<count).map { _ in
            let value = Self.rounded(uniform(bound: bound))
            return value == limit ? -limit : value
        }
    }

    /// `torch.rand`: from 0 up to 1.
    mutating func fractions(count: Int) -> [Float] {
        (0..<count).map { _ in Float(bits() & 0xFF_FFFF) * 0x1p-24 }
    }

    private mutating func uniform(bound: Float) -> Float {
        (-bound).addingProduct(Float(bits() & 0xFF_FFFF) * 0x1p-24, bound - -bound)
    }

    /// To the nearest bf16 value.
    static func rounded(_ value: Float) -> Float {
        HalfPrecision.float(fromBF16: HalfPrecision.bf16(value))
    }
}
