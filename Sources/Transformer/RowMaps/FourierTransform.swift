import Glibc

/// X[f] = Σ_t x[t] e^(−2πi f t / n) of complex values, for any n: by its prime factors.
///
/// **Complexity**: O(n Σ p) for the prime factors p of n.
/// **Source**: Cooley and Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series, 1965.
struct FourierTransform: Sendable {
    let count: Int
    private let factors: [Int]
    /// cos and sin of 2π k / n
    private let cosines: [Float]
    private let sines: [Float]

    init(count: Int) {
        self.count = count
        factors = Self.primeFactors(of: count)
        let angles = (0..<count).map { 2 * Double.pi * Double($0) / Double(count) }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// Floats that `run` needs for itself.
    var scratchCount: Int { 2 * count }

    /// Multiplications and additions, halved.
    var productCount: Int { 4 * count * factors.reduce(0, +) }

    /// - Parameters:
    ///   - real: **Shape** [count]; so are all others.
    ///   - outputReal: doesn't overlap the inputs.
    ///   - scratch: `scratchCount` floats with any content.
    func run(
        _ real: UnsafePointer<Float>, _ imaginary: UnsafePointer<Float>,
        _ outputReal: UnsafeMutablePointer<Float>, _ outputImaginary: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        outputReal.update(from: real, count: count)
        outputImaginary.update(from: imaginary, count: count)
        let (otherReal, otherImaginary) = (scratch, scratch + count)
        // Stage by stage: sequences of `length` values, interleaved, become those of length · p.
        var length = 1
        for factor in factors {
            stage(
                factor, length, outputReal, outputImaginary, to: otherReal, otherImaginary)
            outputReal.update(from: otherReal, count: count)
            outputImaginary.update(from: otherImaginary, count: count)
            length *= factor
        }
    }

    /// Joins `factor` transforms of `length` values each, for all remaining sequences.
    ///
    /// before: [f of length][sequence], count / length sequences; sequence s + r · rest is part r of s
    /// after:  [f of length · factor][sequence], rest = count / length / factor sequences
    private func stage(
        _ factor: Int, _ length: Int, _ real: UnsafePointer<Float>,
        _ imaginary: UnsafePointer<Float>, to toReal: UnsafeMutablePointer<Float>,
        _ toImaginary: UnsafeMutablePointer<Float>
    ) {
        let rest = count / length / factor
        for f in 0..<length * factor {
            let target = f * rest
            (toReal + target).update(repeating: 0, count: rest)
            (toImaginary + target).update(repeating: 0, count: rest)
            for part in 0..<factor {
                let source = (f % length * factor + part) * rest
                let turn = f * part * rest % count
                let (c, s) = (cosines[turn], sines[turn])
                for i in 0..<rest {
                    let (x, y) = (real[source + i], imaginary[source + i])
                    toReal[target + i] += c * x + s * y
                    toImaginary[target + i] += c * y - s * x
                }
            }
        }
    }

    private static func primeFactors(of count: Int) -> [Int] {
        var (rest, factors, prime) = (count, [Int](), 2)
        while rest > 1 {
            if prime * prime > rest { prime = rest }
            while rest % prime == 0 {
                factors.append(prime)
                rest /= prime
            }
            prime += 1
        }
        return factors
    }
}
