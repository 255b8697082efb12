import Kernels

/// A small generator with a printed seed, so that failures can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1...1, using: &self) }
    }
}

/// A stored matrix of random values, and the same values widened by an independent routine.
struct StoredMatrix {
    let type: WeightType
    let outputCount: Int
    let inputCount: Int
    let bytes: AlignedBuffer<UInt8>
    /// **Shape**: [outputCount, inputCount].
    let values: [Float]

    init(
        _ type: WeightType, outputCount: Int, inputCount: Int, using random: inout SeededGenerator
    ) {
        self.type = type
        self.outputCount = outputCount
        self.inputCount = inputCount
        let blockCount = outputCount * inputCount / type.blockElementCount
        var stored: [UInt8] = []
        var values: [Float] = []
        for _ in 0..<blockCount {
            let block = Self.block(type, &random)
            stored += block.bytes
            values += block.values
        }
        let buffer = AlignedBuffer<UInt8>(count: stored.count)
        for (index, byte) in stored.enumerated() { buffer.pointer[index] = byte }
        bytes = buffer
        self.values = values
    }

    /// Blocks that all have this scale and these levels (a byte, or two nibbles), minima 0.
    init(_ type: WeightType, outputCount: Int, inputCount: Int, scale: Float16, levels: UInt8) {
        self.type = type
        self.outputCount = outputCount
        self.inputCount = inputCount
        let blockCount = outputCount * inputCount / 32
        let header = Self.littleEndian(scale.bitPattern) + (type == .q4_1 ? [0, 0] : [])
        let levelByteCount = type == .q8_0 ? 32 : 16
        let stored = (0..<blockCount).flatMap { _ in
            header + Array(repeating: levels, count: levelByteCount)
        }
        let buffer = AlignedBuffer<UInt8>(count: stored.count)
        for (index, byte) in stored.enumerated() { buffer.pointer[index] = byte }
        bytes = buffer
        values = (0..<outputCount * inputCount).map { index in
            let nibble = Int(index % 32 < 16 ? levels & 15 : levels >> 4)
            switch type {
            case .q8_0: return Float(scale) * Float(Int8(bitPattern: levels))
            case .q4_0: return Float(scale) * Float(nibble - 8)
            default: return Float(scale) * Float(nibble)
            }
        }
    }

    func packed(pool: WorkerPool? = nil) -> PackedMatrix {
        PackedMatrix(
            packing: WeightMatrix(
                pointer: UnsafeRawPointer(bytes.pointer), type: type, outputCount: outputCount,
                inputCount: inputCount), pool: pool)
    }

    private static func littleEndian(_ bits: UInt16) -> [UInt8] {
        [UInt8(bits & 0xff), UInt8(bits >> 8)]
    }

    private static func block(
        _ type: WeightType, _ random: inout SeededGenerator
    ) -> (bytes: [UInt8], values: [Float]) {
        let value = Float.random(in: -1...1, using: &random)
        switch type {
        case .f32:
            let bits = value.bitPattern
            return ((0..<4).map { UInt8((bits >> (8 * $0)) & 0xff) }, [value])
        case .f16:
            let half = Float16(value)
            return (littleEndian(half.bitPattern), [Float(half)])
        case .bf16:
            let bits = UInt16(value.bitPattern >> 16)
            return (littleEndian(bits), [Float(bitPattern: UInt32(bits) << 16)])
        case .q8_0, .q4_0, .q4_1:
            return quantized(type, scale: Float16(value / 64), &random)
        }
    }

    private static func quantized(
        _ type: WeightType, scale: Float16, _ random: inout SeededGenerator
    ) -> (bytes: [UInt8], values: [Float]) {
        var bytes = littleEndian(scale.bitPattern)
        if type == .q8_0 {
            let levels = (0..<32).map { _ in Int8.random(in: -128...127, using: &random) }
            return (
                bytes + levels.map { UInt8(bitPattern: $0) },
                levels.map { Float(scale) * Float($0) }
            )
        }
        let minimum = type == .q4_1 ? Float16(Float.random(in: -1...1, using: &random)) : 0
        if type == .q4_1 { bytes += littleEndian(minimum.bitPattern) }
        let nibbles = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
        let levels = nibbles.map { Int($0 & 15) } + nibbles.map { Int($0 >> 4) }
        let values = levels.map {
            type == .q4_0 ? Float(scale) * Float($0 - 8) : Float(scale) * Float($0) + Float(minimum)
        }
        return (bytes + nibbles, values)
    }
}

/// Rows as products with types of blocks take them: blocks of 32 levels −127…127 with one scale.
func roundedToBlocks(_ values: [Float]) -> [Float] {
    stride(from: 0, to: values.count, by: 32).flatMap { first in
        let block = values[first..<first + 32]
        let largest = block.reduce(Float(0)) { max($0, abs($1)) }
        guard largest > 1e-30 else { return [Float](repeating: 0, count: 32) }
        return block.map {
            ($0 * (127 / largest)).rounded(.toNearestOrEven) * (largest / 127)
        }
    }
}
