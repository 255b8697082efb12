internal import Kernels

/// What a module has of its own where several share the factors A and B: factors of the features
/// between the two, and of the outputs.
///
/// **Source**: VeRA, arXiv 2310.11454.
public final class FeatureFactors: Sendable {
    /// **Shape**: [rank]
    let inner: AlignedBuffer<Float>
    /// **Shape**: [outputCount]
    let outer: AlignedBuffer<Float>

    public init(inner: [Float], outer: [Float]) {
        self.inner = AlignedBuffer(copying: inner)
        self.outer = AlignedBuffer(copying: outer)
    }

    public var byteCount: Int { (inner.count + outer.count) * MemoryLayout<Float>.stride }
}
