// Instructions by kind; each returns false for a code that isn't of its kind.
extension TensorPickle {
    mutating func pushConstant(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "K"):
            try push(.integer(Int(try reader.integer(UInt8.self, "a number"))))
        case UInt8(ascii: "M"):
            try push(.integer(Int(try reader.integer(UInt16.self, "a number"))))
        case UInt8(ascii: "J"):
            try push(.integer(Int(try reader.integer(Int32.self, "a number"))))
        case 0x8A: try push(.integer(try longInteger()))
        case UInt8(ascii: "G"):
            let bits = try reader.integer(UInt64.self, "a number")
            try push(.number(Double(bitPattern: bits.byteSwapped)))
        case UInt8(ascii: "X"):
            try pushText(Int(try reader.integer(UInt32.self, "the length of a text")))
        case 0x8C: try pushText(Int(try reader.integer(UInt8.self, "the length of a text")))
        case 0x8D: try pushText(try reader.count("the length of a text"))
        default: return false
        }
        return true
    }

    private mutating func pushText(_ byteCount: Int) throws(CheckpointError) {
        let start = try reader.skip(byteCount, "a text in the pickle")
        guard let text = GGUFText.validated(reader.bytes, start..<(start + byteCount)) else {
            throw .malformed(path: path, reason: "a text in the pickle is not UTF-8")
        }
        try push(.text(text))
    }

    /// A number of up to 8 bytes, in two's complement.
    private mutating func longInteger() throws(CheckpointError) -> Int {
        let byteCount = Int(try reader.integer(UInt8.self, "a number"))
        guard byteCount <= 8 else { throw refused("a number of \(byteCount) bytes") }
        let start = try reader.skip(byteCount, "a number")
        var value: UInt64 = 0
        for index in 0..<byteCount {
            value |= UInt64(reader.bytes[start + index]) << UInt64(8 * index)
        }
        let unused = UInt64(64 - 8 * byteCount)
        return byteCount == 0 ? 0 : Int(Int64(bitPattern: value << unused) >> Int64(unused))
    }

    mutating func changeContainer(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "("):
            try count()
            marks.append(stack.count)
        case UInt8(ascii: ")"): try push(.tuple([], depth: 1))
        case UInt8(ascii: "]"): try push(.list)
        case UInt8(ascii: "}"): try push(.dictionary(PickleDictionary()))
        case UInt8(ascii: "t"): try pushTuple(try popToMark())
        case 0x85, 0x86, 0x87:
            var items: [PickleValue] = []
            for _ in 0...(code - 0x85) { items.append(try pop()) }
            try pushTuple(items.reversed())
        case UInt8(ascii: "a"): _ = try pop()
        case UInt8(ascii: "e"): _ = try popToMark()
        case UInt8(ascii: "s"):
            let (value, key) = (try pop(), try pop())
            try set([key, value])
        case UInt8(ascii: "u"):
            let items = try popToMark()
            try set(items)
        default: return false
        }
        return true
    }

    private mutating func pushTuple(_ items: [PickleValue]) throws(CheckpointError) {
        let depth = try depth(around: items)
        for item in items { item.seal() }
        try push(.tuple(items, depth: depth))
    }

    /// Keys and values in turn, into the dictionary on top of the stack.
    private func set(_ items: [PickleValue]) throws(CheckpointError) {
        guard case .dictionary(let dictionary)? = stack.last, items.count % 2 == 0 else {
            throw refused("a mapping that is no dictionary")
        }
        let holdsItself = items.contains {
            if case .dictionary(let item) = $0 { item === dictionary } else { false }
        }
        guard !holdsItself, !dictionary.isSealed else {
            throw refused("a dictionary that is filled after it became part of something")
        }
        _ = try depth(around: items)
        for index in stride(from: 0, to: items.count, by: 2) {
            dictionary.append(items[index], items[index + 1])
        }
    }

    /// How deep a container of these nests.
    private func depth(around items: [PickleValue]) throws(CheckpointError) -> Int {
        let depth = items.reduce(0) { max($0, $1.depth) } + 1
        guard depth <= Self.depthLimit else {
            throw refused("values that nest more than \(Self.depthLimit) deep")
        }
        return depth
    }

    mutating func remember(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "q"): try keep(Int(try reader.integer(UInt8.self, "the memo")))
        case UInt8(ascii: "r"): try keep(Int(try reader.integer(UInt32.self, "the memo")))
        case 0x94: try keep(memo.count)
        case UInt8(ascii: "h"): try recall(Int(try reader.integer(UInt8.self, "the memo")))
        case UInt8(ascii: "j"): try recall(Int(try reader.integer(UInt32.self, "the memo")))
        default: return false
        }
        return true
    }

    private mutating func keep(_ index: Int) throws(CheckpointError) {
        try count()
        memo[index] = stack.last
    }

    private mutating func recall(_ index: Int) throws(CheckpointError) {
        guard let value = memo[index] else {
            throw .malformed(path: path, reason: "the pickle recalls what it hasn't kept")
        }
        try push(value)
    }
}
