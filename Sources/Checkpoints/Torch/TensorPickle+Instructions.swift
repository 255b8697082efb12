// Instructions by kind; each returns false for a code that isn't of its kind.
extension TensorPickle {
    mutating func pushConstant(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "K"):
            stack.append(.integer(Int(try reader.integer(UInt8.self, "a number"))))
        case UInt8(ascii: "M"):
            stack.append(.integer(Int(try reader.integer(UInt16.self, "a number"))))
        case UInt8(ascii: "J"):
            stack.append(.integer(Int(try reader.integer(Int32.self, "a number"))))
        case 0x8A: stack.append(.integer(try longInteger()))
        case UInt8(ascii: "G"):
            let bits = try reader.integer(UInt64.self, "a number")
            stack.append(.number(Double(bitPattern: bits.byteSwapped)))
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
        stack.append(.text(text))
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
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: ")"): stack.append(.tuple([]))
        case UInt8(ascii: "]"): stack.append(.list)
        case UInt8(ascii: "}"): stack.append(.dictionary(PickleDictionary()))
        case UInt8(ascii: "t"): stack.append(.tuple(try popToMark()))
        case 0x85, 0x86, 0x87:
            var items: [PickleValue] = []
            for _ in 0...(code - 0x85) { items.append(try pop()) }
            stack.append(.tuple(items.reversed()))
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

    /// Keys and values in turn, into the dictionary on top of the stack.
    private func set(_ items: [PickleValue]) throws(CheckpointError) {
        guard case .dictionary(let dictionary)? = stack.last, items.count % 2 == 0 else {
            throw refused("a mapping that is no dictionary")
        }
        for index in stride(from: 0, to: items.count, by: 2) {
            dictionary.entries.append((items[index], items[index + 1]))
        }
    }

    mutating func remember(_ code: UInt8) throws(CheckpointError) -> Bool {
        switch code {
        case UInt8(ascii: "q"): memo[Int(try reader.integer(UInt8.self, "the memo"))] = stack.last
        case UInt8(ascii: "r"): memo[Int(try reader.integer(UInt32.self, "the memo"))] = stack.last
        case 0x94: memo[memo.count] = stack.last
        case UInt8(ascii: "h"): try recall(Int(try reader.integer(UInt8.self, "the memo")))
        case UInt8(ascii: "j"): try recall(Int(try reader.integer(UInt32.self, "the memo")))
        default: return false
        }
        return true
    }

    private mutating func recall(_ index: Int) throws(CheckpointError) {
        guard let value = memo[index] else {
            throw .malformed(path: path, reason: "the pickle recalls what it hasn't kept")
        }
        stack.append(value)
    }
}
