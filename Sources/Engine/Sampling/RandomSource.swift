/// Random numbers that follow from a seed alone, so that a request draws the same ones in any
/// batch.
///
/// **Source**: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a counter in steps of the golden
/// ratio, each value mixed by itself.
package struct RandomSource: Sendable {
    private var counter: UInt64

    package init(seed: UInt64) {
        counter = seed
    }

    package mutating func next() -> UInt64 {
        counter &+= 0x9E37_79B9_7F4A_7C15
        var mixed = counter
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0 ..< 1, in steps of 2⁻⁵³.
    package mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
