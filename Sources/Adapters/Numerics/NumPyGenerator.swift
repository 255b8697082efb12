/// `numpy.random.default_rng(seed)`: PCG64, and the draws of it that methods make again.
///
/// **Source**: O'Neill, PCG, 2014; Lemire, arXiv 1805.10941; NumPy's `SeedSequence` and
/// `Generator`.
package struct NumPyGenerator {
    private static let multiplier: UInt128 =
        UInt128(2_549_297_995_355_413_924) << 64 | 4_865_540_595_714_422_341

    private var state: UInt128
    private let increment: UInt128
    /// The upper half of the last 64 bits, while only the lower was taken.
    private var half: UInt32?

    package init(seed: UInt64) {
        let words = SeedSequence(seed).words(4)
        let start = UInt128(words[0]) << 64 | UInt128(words[1])
        increment = (UInt128(words[2]) << 64 | UInt128(words[3])) << 1 | 1
        state = increment &+ start
        state = state &* Self.multiplier &+ increment
    }

    /// 64 random bits.
    package mutating func bits64() -> UInt64 {
        state = state &* Self.multiplier &+ increment
        let folded = UInt64(truncatingIfNeeded: state >> 64) ^ UInt64(truncatingIfNeeded: state)
        let turn = UInt64(truncatingIfNeeded: state >> 122)
        return folded >> turn | folded << ((64 - turn) & 63)
    }

    private mutating func bits32() -> UInt32 {
        if let half {
            self.half = nil
            return half
        }
        let bits = bits64()
        half = UInt32(truncatingIfNeeded: bits >> 32)
        return UInt32(truncatingIfNeeded: bits)
    }

    /// A whole number from 0 to `largest`, by Lemire's products.
    private mutating func bounded(_ largest: Int) -> Int {
        guard largest > 0 else { return 0 }
        let range = UInt64(largest) + 1
        if range <= UInt64(UInt32.max) {
            let threshold = (UInt64(UInt32.max) + 1 - range) % range
            while true {
                let product = UInt64(bits32()) * range
                if product & 0xFFFF_FFFF >= threshold { return Int(product >> 32) }
            }
        }
        if range == UInt64(UInt32.max) + 1 { return Int(bits32()) }
        let threshold = (0 &- range) % range
        while true {
            let product = bits64().multipliedFullWidth(by: range)
            if product.low >= threshold { return Int(product.high) }
        }
    }

    /// A whole number from 0 to `largest`: bits that are too large are drawn again.
    private mutating func masked(_ largest: Int) -> Int {
        guard largest > 0 else { return 0 }
        let mask = UInt64.max >> UInt64(largest.leadingZeroBitCount)
        while true {
            let bits = largest <= Int(UInt32.max) ? UInt64(bits32()) : bits64()
            if bits & mask <= UInt64(largest) { return Int(bits & mask) }
        }
    }

    /// `shuffle` of an array of one dimension.
    package mutating func shuffle(_ values: inout [Int]) {
        for index in stride(from: values.count - 1, through: 1, by: -1) {
            values.swapAt(index, masked(index))
        }
    }

    /// `choice(population, count, replace=False)`: the end of a shuffle where much is taken of a
    /// large population, Floyd's method otherwise.
    package mutating func choice(of population: Int, count: Int) -> [Int] {
        precondition(count <= population)
        if population > 10_000, count > population / 50 {
            var values = Array(0..<population)
            shuffleEnd(&values, from: max(population - count, 1))
            return Array(values.suffix(count))
        }
        var chosen: Set<Int> = []
        var result: [Int] = []
        for limit in population - count..<population {
            let value = bounded(limit)
            let taken = chosen.insert(value).inserted ? value : limit
            chosen.insert(taken)
            result.append(taken)
        }
        shuffleEnd(&result, from: 1)
        return result
    }

    private mutating func shuffleEnd(_ values: inout [Int], from first: Int) {
        for index in stride(from: values.count - 1, through: first, by: -1) {
            values.swapAt(index, bounded(index))
        }
    }
}

/// From a seed to as many well-mixed bits as a generator begins with.
///
/// **Source**: NumPy's `SeedSequence`, after O'Neill's `seed_seq_fe`.
private struct SeedSequence {
    private var pool: [UInt32] = []

    init(_ seed: UInt64) {
        var entropy = [UInt32(truncatingIfNeeded: seed)]
        if seed >> 32 != 0 { entropy.append(UInt32(truncatingIfNeeded: seed >> 32)) }
        var constant: UInt32 = 0x43b0_d7e5
        func hashed(_ value: UInt32) -> UInt32 {
            var mixed = value ^ constant
            constant = constant &* 0x931e_8875
            mixed = mixed &* constant
            return mixed ^ mixed >> 16
        }
        pool = (0..<4).map { hashed($0 < entropy.count ? entropy[$0] : 0) }
        for source in 0..<4 {
            for target in 0..<4 where source != target {
                let mixed =
                    0xca01_f9dd &* pool[target] &- 0x4973_f715 &* hashed(pool[source])
                pool[target] = mixed ^ mixed >> 16
            }
        }
    }

    /// Words of 64 bits.
    func words(_ count: Int) -> [UInt64] {
        var constant: UInt32 = 0x8b51_f9dd
        let halves = (0..<2 * count).map { index in
            var value = pool[index % 4] ^ constant
            constant = constant &* 0x58f3_8ded
            value = value &* constant
            return value ^ value >> 16
        }
        return (0..<count).map { UInt64(halves[2 * $0 + 1]) << 32 | UInt64(halves[2 * $0]) }
    }
}
