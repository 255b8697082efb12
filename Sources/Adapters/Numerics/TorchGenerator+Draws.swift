internal import Glibc

// Draws of methods whose frozen tensors aren't in the file, but made again from a seed.
extension TorchGenerator {
    /// Two outputs, the first of which is the upper half.
    mutating func bits64() -> UInt64 {
        let upper = UInt64(bits())
        return upper << 32 | UInt64(bits())
    }

    /// The beginning of `torch.randperm(count)`: Fisher and Yates from the front, so that the rest
    /// need not be drawn.
    ///
    /// **Source**: ATen's `randperm_cpu`; from 2³²/20 on, it takes 64 bits a step.
    mutating func permutation(of count: Int, first length: Int) -> [Int] {
        var moved: [Int: Int] = [:]
        var result: [Int] = []
        result.reserveCapacity(length)
        let takes32 = count < Int(UInt32.max) / 20
        for index in 0..<min(length, count) {
            guard index < count - 1 else {
                result.append(moved[index] ?? index)
                break
            }
            let rest = UInt64(count - index)
            let place = index + Int((takes32 ? UInt64(bits()) : bits64()) % rest)
            result.append(moved[place] ?? place)
            moved[place] = moved[index] ?? index
        }
        return result
    }

    /// `torch.normal(0, deviation)` of so many f32 values.
    ///
    /// **Source**: Box and Muller 1958; ATen's `normal_fill` for 16 values and more, and
    /// `at::normal_distribution<double>` for fewer.
    mutating func normal(count: Int, deviation: Double) -> [Float] {
        guard count >= 16 else { return fewNormal(count: count, deviation: deviation) }
        var values = (0..<count).map { _ in fraction() }
        for start in stride(from: 0, through: count - 16, by: 16) {
            Self.fill(&values, at: start, deviation: Float(deviation))
        }
        if count % 16 != 0 {
            for index in count - 16..<count { values[index] = fraction() }
            Self.fill(&values, at: count - 16, deviation: Float(deviation))
        }
        return values
    }

    /// From 0 up to 1.
    private mutating func fraction() -> Float { Float(bits() & 0xFF_FFFF) * 0x1p-24 }

    /// 16 fractions become 16 normal values: pairs lie 8 apart.
    private static func fill(_ values: inout [Float], at start: Int, deviation: Float) {
        for index in start..<start + 8 {
            let radius = (-2 * log(1 - values[index])).squareRoot()
            let angle = 2 * Float.pi * values[index + 8]
            values[index] = radius * cos(angle) * deviation
            values[index + 8] = radius * sin(angle) * deviation
        }
    }

    private mutating func fewNormal(count: Int, deviation: Double) -> [Float] {
        var values: [Float] = []
        while values.count < count {
            let first = Double(bits64() & (1 << 53 - 1)) * 0x1p-53
            let second = Double(bits64() & (1 << 53 - 1)) * 0x1p-53
            let radius = (-2 * log1p(-second)).squareRoot()
            values.append(Float(radius * cos(2 * .pi * first) * deviation))
            values.append(Float(radius * sin(2 * .pi * first) * deviation))
        }
        return Array(values.prefix(count))
    }
}
