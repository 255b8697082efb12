import Foundation

/// Cosines and sines of the rotary embedding for positions 0 ..< positionCount.
///
/// **Shape**: both [positionCount, dimension / 2].
struct RotaryTable {
    private let frequencies: [Float]
    private let magnitude: Float
    private(set) var cosines: [Float] = []
    private(set) var sines: [Float] = []
    private(set) var positionCount = 0

    init(_ spec: RotarySpec) {
        frequencies = Self.frequencies(spec)
        magnitude = spec.magnitude
    }

    /// Makes the table reach to `count` positions; doubles, so that growing is rare.
    mutating func reserve(positionCount count: Int) {
        guard count > positionCount else { return }
        let target = max(count, positionCount * 2, 256)
        cosines.reserveCapacity(target * frequencies.count)
        sines.reserveCapacity(target * frequencies.count)
        for position in positionCount..<target {
            for frequency in frequencies {
                let angle = Float(position) * frequency
                cosines.append(cosf(angle) * magnitude)
                sines.append(sinf(angle) * magnitude)
            }
        }
        positionCount = target
    }

    /// Pointers to both tables.
    func withTables(_ body: (UnsafePointer<Float>, UnsafePointer<Float>) -> Void) {
        cosines.withUnsafeBufferPointer { cosines in
            sines.withUnsafeBufferPointer { sines in
                body(cosines.baseAddress!, sines.baseAddress!)
            }
        }
    }

    static func frequencies(_ spec: RotarySpec) -> [Float] {
        let plain = (0..<spec.dimension / 2).map { pair in
            1 / powf(spec.theta, Float(2 * pair) / Float(spec.dimension))
        }
        switch spec.scaling {
        case .none:
            return plain
        case .linear(let factor):
            return plain.map { $0 / factor }
        case .divisors(let divisors):
            return zip(plain, divisors).map { $0 / $1 }
        case .llama3(let factor, let low, let high, let originalPositionCount):
            return plain.map {
                llama3($0, factor: factor, low: low, high: high, original: originalPositionCount)
            }
        case .yarn(let factor, let fast, let slow, let truncates, let original):
            let range = yarnRange(
                spec, fast: fast, slow: slow, truncates: truncates, original: original)
            return plain.enumerated().map { pair, frequency in
                let ramp = min(max((Float(pair) - range.low) / (range.high - range.low), 0), 1)
                return frequency / factor * ramp + frequency * (1 - ramp)
            }
        }
    }

    /// Long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
    private static func llama3(
        _ frequency: Float, factor: Float, low: Float, high: Float, original: Float
    ) -> Float {
        let wavelength = 2 * Float.pi / frequency
        if wavelength < original / high { return frequency }
        if wavelength > original / low { return frequency / factor }
        let smooth = (original / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }

    /// The pairs between which YaRN goes over from kept to stretched wavelengths.
    ///
    /// **Source**: arXiv 2309.00071, section 3.2.
    private static func yarnRange(
        _ spec: RotarySpec, fast: Float, slow: Float, truncates: Bool, original: Float
    ) -> (low: Float, high: Float) {
        func pair(turning rotations: Float) -> Double {
            Double(spec.dimension) * log(Double(original) / (Double(rotations) * 2 * .pi))
                / (2 * log(Double(spec.theta)))
        }
        var (low, high) = (pair(turning: fast), pair(turning: slow))
        if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        low = max(low, 0)
        high = min(high, Double(spec.dimension - 1))
        return (Float(low), Float(low == high ? high + 0.001 : high))
    }
}

extension RotarySpec {
    /// Whether both turn heads alike, whichever way they say it: GGUF has divisors where Hugging
    /// Face has a rule.
    package func rotates(like other: RotarySpec) -> Bool {
        let (own, its) = (RotaryTable.frequencies(self), RotaryTable.frequencies(other))
        // Divisors are rounded to f32.
        return own.count == its.count && isInterleaved == other.isInterleaved
            && magnitude == other.magnitude
            && zip(own, its).allSatisfy { abs($0 - $1) <= 1e-6 * $0 }
    }
}
