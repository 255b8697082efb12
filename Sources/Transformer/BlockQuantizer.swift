import Checkpoints
import Kernels

/// Rounds f32 weights to blocks of 32 with one scale: what `--quantize` does at load.
///
/// **Source**: block layouts Q8_0 and Q4_0 of the GGUF specification: an f16 scale d, then 32 signed
/// bytes q with w = d·q, or 16 bytes of nibbles with w = d·(q − 8), element i low and i + 16 high.
struct BlockQuantizer {
    let type: WeightType

    /// - Parameter weights: rows whose width is a multiple of 32, one after the other.
    func quantize(_ weights: UnsafeBufferPointer<Float>) -> AlignedBuffer<UInt8> {
        let blockCount = weights.count / type.blockElementCount
        let blocks = AlignedBuffer<UInt8>(count: blockCount * type.blockByteCount)
        for block in 0..<blockCount {
            let values = UnsafeBufferPointer(
                rebasing: weights[
                    block * type.blockElementCount..<(block + 1) * type.blockElementCount])
            let target = blocks.pointer + block * type.blockByteCount
            switch type {
            case .q8_0: quantizeToBytes(values, target)
            case .q4_0: quantizeToNibbles(values, target)
            default: preconditionFailure("\(type) is not a type to quantise to")
            }
        }
        return blocks
    }

    private func quantizeToBytes(
        _ values: UnsafeBufferPointer<Float>, _ target: UnsafeMutablePointer<UInt8>
    ) {
        let largest = values.reduce(Float(0)) { max($0, abs($1)) }
        let scale = store(scale: largest / 127, target)
        let inverse = scale == 0 ? 0 : 1 / scale
        for i in values.indices {
            let level = (values[i] * inverse).rounded(.toNearestOrAwayFromZero)
            target[2 + i] = UInt8(bitPattern: Int8(max(-127, min(127, level))))
        }
    }

    private func quantizeToNibbles(
        _ values: UnsafeBufferPointer<Float>, _ target: UnsafeMutablePointer<UInt8>
    ) {
        let extreme = values.max { abs($0) < abs($1) } ?? 0
        let scale = store(scale: extreme / -8, target)
        let inverse = scale == 0 ? 0 : 1 / scale
        func level(_ value: Float) -> UInt8 {
            UInt8(max(0, min(15, (value * inverse + 8).rounded(.toNearestOrAwayFromZero))))
        }
        let half = values.count / 2
        for i in 0..<half { target[2 + i] = level(values[i]) | level(values[half + i]) << 4 }
    }

    /// Stores the scale as f16 and returns the rounded value, by which the levels are computed.
    private func store(scale: Float, _ target: UnsafeMutablePointer<UInt8>) -> Float {
        let bits = HalfPrecision.f16(scale)
        target[0] = UInt8(truncatingIfNeeded: bits)
        target[1] = UInt8(truncatingIfNeeded: bits >> 8)
        return HalfPrecision.float(fromF16: bits)
    }
}
