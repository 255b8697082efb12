/// Changes of bytes that know nothing of what the bytes are, but where counts like to stand.
enum ByteMutations {
    /// Values at which sizes and counts break.
    static let edges: [UInt64] = [
        0, 1, 2, 7, 8, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000,
        0xffff_ffff, 0x1_0000_0000, 0x2000_0000_0000_0000, 0x4000_0000_0000_0000,
        0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xffff_ffff_ffff_ffff,
    ]

    /// - Parameter head: changes fall within so many first bytes most times, where formats have
    ///   their counts; nil: anywhere.
    static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix, head: Int? = nil) {
        for _ in 0...random.below(3) {
            guard !bytes.isEmpty else {
                bytes = [UInt8(truncatingIfNeeded: random.next())]
                continue
            }
            let range = random.oneIn(8) ? bytes.count : min(bytes.count, head ?? bytes.count)
            let place = random.below(range)
            switch random.below(9) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2, 3: overwrite(&bytes, at: place, width: [2, 4, 8][random.below(3)], &random)
            case 4:
                let end = min(bytes.count, place + 1 + random.below(16))
                bytes.removeSubrange(place..<end)
            case 5:
                let end = min(bytes.count, place + 1 + random.below(64))
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: random.below(bytes.count))
            case 6:
                let count = 1 + random.below(8)
                bytes.insert(
                    contentsOf: (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) },
                    at: place)
            case 7: bytes.removeLast(min(bytes.count, 1 + random.below(max(1, bytes.count / 2))))
            default:
                let value = bytes[random.below(bytes.count)]
                for index in place..<min(bytes.count, place + 1 + random.below(8)) {
                    bytes[index] = value
                }
            }
        }
    }

    private static func overwrite(
        _ bytes: inout [UInt8], at place: Int, width: Int, _ random: inout SplitMix
    ) {
        var value = edges[random.below(edges.count)]
        if random.oneIn(3) { value &+= UInt64(bitPattern: Int64(random.below(9) - 4)) }
        for index in 0..<width where place + index < bytes.count {
            bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
        }
    }
}
