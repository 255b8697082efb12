/// Damages files, the same way for the same seed: bytes, numbers of any width, pieces doubled,
/// moved and cut out.
struct ByteMutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(max(1, count))) }

    private static let numbers: [UInt64] = [
        0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF,
        0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 40, 1 << 61, 1 << 62, (1 << 63) - 1, 1 << 63, .max,
    ]

    /// - Parameter words: pieces of the format, that are put in.
    mutating func mutated(_ bytes: [UInt8], words: [[UInt8]] = []) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) { change(&bytes, words) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], _ words: [[UInt8]]) {
        guard !bytes.isEmpty else { return }
        let place = below(bytes.count)
        let length = min(1 + below(1 << below(7)), bytes.count - place)
        switch below(words.isEmpty ? 7 : 9) {
        case 0: bytes[place] ^= 1 << UInt8(below(8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
        case 2, 3:
            let width = [1, 2, 4, 8][below(4)]
            let number = Self.numbers[below(Self.numbers.count)]
            for index in 0..<min(width, bytes.count - place) {
                bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index))
            }
        case 4: bytes.removeSubrange(place..<(place + length))
        case 5:
            let piece = Array(bytes[place..<(place + length)])
            let copies = 1 + below(8)
            bytes.insert(contentsOf: (0..<copies).flatMap { _ in piece }, at: below(bytes.count))
        case 6: bytes.removeSubrange(place...)
        case 7:
            bytes.insert(contentsOf: words[below(words.count)], at: place)
        default:
            let word = words[below(words.count)]
            let end = min(place + word.count, bytes.count)
            bytes.replaceSubrange(place..<end, with: word)
        }
    }
}
