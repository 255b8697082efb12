/// The members of a zip archive that stores them as they are, as torch writes it.
struct StoredZip {
    var members: [(name: [UInt8], bytes: [UInt8])] = []

    /// Nil where it is no such archive.
    init?(_ file: [UInt8]) {
        func number(_ place: Int, _ width: Int) -> Int {
            (0..<width).reversed().reduce(0) { $0 << 8 | Int(file[place + $1]) }
        }
        // The end record has no comment in what torch writes: count at 10, directory's place at 16.
        let end = file.count - 22
        guard end >= 0, number(end, 4) == 0x0605_4b50 else { return nil }
        var place = number(end + 16, 4)
        for _ in 0..<number(end + 10, 2) {
            guard place + 46 <= end, number(place, 4) == 0x0201_4b50 else { return nil }
            let (size, nameCount, local) = (
                number(place + 20, 4), number(place + 28, 2), number(place + 42, 4)
            )
            guard local + 30 <= end else { return nil }
            let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
            guard place + 46 + nameCount <= end, start + size <= end else { return nil }
            members.append(
                (
                    Array(file[place + 46..<place + 46 + nameCount]),
                    Array(file[start..<start + size])
                ))
            place += 46 + nameCount + number(place + 30, 2) + number(place + 32, 2)
        }
        if members.isEmpty { return nil }
    }

    /// The archive, with checksums of 0: readers of torch's files don't look at them.
    func joined() -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for (name, bytes) in members {
            let offset = file.count
            let common =
                Self.bytes(0, 2) + Self.bytes(0, 2) + Self.bytes(0, 4) + Self.bytes(0, 4)
                + Self.bytes(bytes.count, 4) + Self.bytes(bytes.count, 4)
                + Self.bytes(name.count, 2)
                + Self.bytes(0, 2)
            file += [80, 75, 3, 4] + Self.bytes(0, 2) + common + name + bytes
            directory += [80, 75, 1, 2] + Self.bytes(0, 2) + Self.bytes(0, 2) + common
            directory += Self.bytes(0, 2) + Self.bytes(0, 2) + Self.bytes(0, 2) + Self.bytes(0, 4)
            directory += Self.bytes(offset, 4) + name
        }
        let start = file.count
        file += directory + [80, 75, 5, 6] + Self.bytes(0, 4)
        file += Self.bytes(members.count, 2) + Self.bytes(members.count, 2)
        return file + Self.bytes(directory.count, 4) + Self.bytes(start, 4) + Self.bytes(0, 2)
    }

    private static func bytes(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}

/// Changes of a pickle's instructions.
enum PickleMutations {
    /// Whole instructions, with edges where they carry counts.
    private static let instructions: [[UInt8]] = [
        [0x85], [0x86], [0x87], [0x28], [0x74], [0x29], [0x7d], [0x5d], [0x61], [0x65], [0x73],
        [0x75], [0x52], [0x51], [0x30], [0x32], [0x4e], [0x88], [0x89], [0x62], [0x81], [0x2e],
        [0x71, 0], [0x68, 0], [0x68, 1], [0x68, 9], [0x94], [0x4b, 0], [0x4b, 255],
        [0x4d, 0xff, 0xff], [0x4a, 0xff, 0xff, 0xff, 0x7f], [0x4a, 0, 0, 0, 0x80],
        [0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x40], [0x8a, 8, 255, 255, 255, 255, 255, 255, 255, 0x7f],
        [0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], [0x8a, 1, 255], [0x8a, 255],
        [0x58, 1, 0, 0, 0, 0x61], [0x58, 255, 255, 255, 255], [0x8c, 1, 0x61],
        [0x63, 0x6f, 0x73, 10, 0x73, 10], [0x47, 0x40, 0, 0, 0, 0, 0, 0, 0],
        [0x95, 255, 255, 255, 255, 255, 255, 255, 127],
    ]

    /// Texts that mean something in a state dict.
    private static let texts: [[UInt8]] = ["model", "state_dict", "module", "a", ""].map { text in
        [0x58, UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8)
    }

    /// A pickle of a few instructions, most of which do what a state dict's do.
    static func program(_ random: inout SplitMix) -> [UInt8] {
        // The outermost dictionary can be named within itself.
        var bytes: [UInt8] = [0x80, 2, 0x7d, 0x71, 0]
        for _ in 0...random.below(12) {
            switch random.below(5) {
            case 0: bytes += instructions[random.below(instructions.count)]
            case 1: bytes += [0x68, UInt8(random.below(3))]
            case 2: bytes += [0x7d, 0x71, UInt8(random.below(3))]
            case 3: bytes += texts[random.below(texts.count)] + [0x68, 0, 0x73]
            default: bytes += texts[random.below(texts.count)]
            }
            if random.oneIn(3) { bytes += [0x73] }
        }
        return bytes + [0x2e]
    }

    static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix) {
        for _ in 0...random.below(3) {
            let place = random.below(bytes.count)
            switch random.below(4) {
            case 0:
                bytes.insert(
                    contentsOf: instructions[random.below(instructions.count)], at: place)
            case 1:
                // Long runs nest values deeply.
                let instruction = instructions[random.below(instructions.count)]
                let count = 1 << random.below(random.oneIn(4) ? 20 : 10)
                bytes.insert(
                    contentsOf: (0..<count).flatMap { _ in instruction }, at: place)
            case 2: ByteMutations.mutate(&bytes, &random)
            default:
                // Small numbers are shapes, strides and offsets.
                let places = bytes.indices.filter { bytes[$0] == 0x4b && $0 + 1 < bytes.count }
                guard !places.isEmpty else { continue }
                let found = places[random.below(places.count)]
                let edge = instructions[27 + random.below(8)]
                bytes.replaceSubrange(found..<found + 2, with: edge)
            }
        }
    }
}
