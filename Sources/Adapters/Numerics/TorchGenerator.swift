/// torch's generator on a CPU, for the draws that combinations need: 32 bits a value.
///
/// `torch.bernoulli` of an f32 tensor of probabilities takes one output of the generator for each
/// element, in row-major order, and compares its lower 24 bits, as a fraction, with the
/// probability. torch has no vectorised form of it on any processor, unlike that for one
/// probability.
///
/// **Source**: MT19937, Matsumoto and Nishimura 1998; ATen's `CPUGeneratorImpl` and
/// `at::bernoulli_distribution`, torch 2.13.
struct TorchGenerator {
    private static let stateCount = 624
    private static let middle = 397

    private var state: [UInt32]
    private var next: Int

    /// - Parameter seed: of `torch.manual_seed`, which keeps the lower 32 bits.
    init(seed: UInt64) {
        var state = [UInt32(truncatingIfNeeded: seed)]
        state.reserveCapacity(Self.stateCount)
        for index in 1..<Self.stateCount {
            let last = state[index - 1]
            state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(index))
        }
        self.state = state
        next = Self.stateCount
    }

    /// 32 random bits.
    mutating func bits() -> UInt32 {
        if next == Self.stateCount { refill() }
        var value = state[next]
        next += 1
        value ^= value >> 11
        value ^= value << 7 & 0x9D2C_5680
        value ^= value << 15 & 0xEFC6_0000
        return value ^ value >> 18
    }

    /// True with this probability.
    mutating func bernoulli(_ probability: Float) -> Bool {
        Float(bits() & 0xFF_FFFF) * 0x1p-24 < probability
    }

    /// Passes over what other draws have taken.
    mutating func skip(_ count: Int) {
        for _ in 0..<count { _ = bits() }
    }

    private mutating func refill() {
        for index in 0..<Self.stateCount {
            let following = state[(index + 1) % Self.stateCount]
            let mixed = state[index] & 0x8000_0000 | following & 0x7FFF_FFFF
            let twist: UInt32 = following & 1 == 0 ? 0 : 0x9908_B0DF
            state[index] = state[(index + Self.middle) % Self.stateCount] ^ mixed >> 1 ^ twist
        }
        next = 0
    }
}

extension TorchGenerator {
    /// What `uniform_` of so many f32 values takes.
    static func uniformDrawCount(_ count: Int) -> Int { count }

    /// What `normal_` and `randn` of so many f32 values take: from 16 on they are filled in blocks
    /// of 16, the last of which is drawn again where it is not whole; fewer come in pairs of
    /// doubles.
    static func normalDrawCount(_ count: Int) -> Int {
        guard count >= 16 else { return (count + 1) / 2 * 4 }
        return count % 16 == 0 ? count : count + 16
    }
}
