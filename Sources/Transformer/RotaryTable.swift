import Foundation

/// Cosines and sines of the rotary embedding for positions 0 ..< positionCount.
///
/// **Shape**: both [positionCount, headDimension / 2]; pair i of a head is (i, i +
/// headDimension/2), as in Hugging Face's checkpoints.
struct RotaryTable {
    private let frequencies: [Float]
    private(set) var cosines: [Float] = []
    private(set) var sines: [Float] = []
    private(set) var positionCount = 0

    init(_ configuration: RotaryConfiguration, headDimension: Int) {
        frequencies = Self.frequencies(configuration, headDimension: headDimension)
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
                cosines.append(cosf(angle))
                sines.append(sinf(angle))
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

    static func frequencies(
        _ configuration: RotaryConfiguration, headDimension: Int
    ) -> [Float] {
        let plain = (0..<headDimension / 2).map { pair in
            1 / powf(configuration.theta, Float(2 * pair) / Float(headDimension))
        }
        switch configuration.scaling {
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
}

extension RotaryConfiguration {
    /// Whether both turn heads alike, whichever way they say it: GGUF has divisors where Hugging
    /// Face has a rule.
    package func rotates(like other: RotaryConfiguration, headDimension: Int) -> Bool {
        let own = RotaryTable.frequencies(self, headDimension: headDimension)
        let its = RotaryTable.frequencies(other, headDimension: headDimension)
        // Divisors are rounded to f32.
        return own.count == its.count && zip(own, its).allSatisfy { abs($0 - $1) <= 1e-6 * $0 }
    }
}
