internal import StrictJSON

/// The key-value section of a GGUF file.
struct GGUFValues: Sendable {
    private let file: MappedFile
    private let values: [String: GGUFValue]
    /// In the order of the file: each key, and where it lies with its value.
    private let places: [(key: String, range: Range<Int>)]

    static let defaultAlignment = 32

    init(_ reader: inout GGUFReader, count: Int, file: MappedFile) throws(CheckpointError) {
        guard count <= CheckpointLimits.ggufKeyCount else {
            throw .malformed(
                path: reader.path,
                reason: "too many keys: \(count), the limit is \(CheckpointLimits.ggufKeyCount)")
        }
        var values: [String: GGUFValue] = [:]
        var places: [(key: String, range: Range<Int>)] = []
        for _ in 0..<count {
            let start = reader.offset
            let key = try reader.text("a key")
            guard (1...GGUFReader.maximumKeyByteCount).contains(key.utf8.count) else {
                throw .malformed(
                    path: reader.path,
                    reason: "a key has \(key.utf8.count) bytes; 1 to "
                        + "\(GGUFReader.maximumKeyByteCount) are allowed")
            }
            let shown = CheckpointError.shown(key)
            guard values.updateValue(try reader.value(key: shown), forKey: key) == nil else {
                throw .malformed(path: reader.path, reason: "duplicate key '\(shown)'")
            }
            places.append((key, start..<reader.offset))
        }
        self.file = file
        self.values = values
        self.places = places
    }

    private var path: String { file.path }

    /// `general.alignment`, 32 where absent.
    func alignment() throws(CheckpointError) -> Int {
        let key = "general.alignment"
        guard let value = values[key] else { return Self.defaultAlignment }
        guard case .unsigned(let number) = value, let alignment = Int(exactly: number),
            alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0
        else {
            throw .malformed(
                path: path, reason: "'\(key)' must be an unsigned integer that is a power of two")
        }
        return alignment
    }

    /// All keys, in the order of the file.
    var keys: [String] { places.map(\.key) }

    /// Where the keys that `isWanted` takes lie with their values, in order.
    func ranges(where isWanted: (String) -> Bool) -> [Range<Int>] {
        places.filter { isWanted($0.key) }.map(\.range)
    }

    /// A value as JSON; an array is an array without elements.
    func plain(_ key: String) -> JSONValue {
        switch values[key] {
        case nil: .null
        case .unsigned(let number):
            Int64(exactly: number).map(JSONValue.integer) ?? .unsigned(number)
        case .signed(let number): .integer(number)
        case .float(let number): .number(number)
        case .bool(let flag): .bool(flag)
        case .string(let range): .string(string(range) ?? "")
        case .array: .array([])
        }
    }

    /// A value in short, for messages.
    func shown(_ key: String) -> String? {
        switch values[key] {
        case nil: nil
        case .unsigned(let number): String(number)
        case .signed(let number): String(number)
        case .float(let number): String(number)
        case .bool(let flag): String(flag)
        case .string(let range):
            string(range).map { "\"\(CheckpointError.shown($0))\"" } ?? "a string"
        case .array(let array): "an array of \(array.count) values"
        }
    }

    func contains(_ key: String) -> Bool { values[key] != nil }

    /// What follows `prefix` in the keys that begin with it, sorted.
    func keys(after prefix: String) -> [String] {
        values.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .sorted()
    }

    /// A whole number from 0 on; nil where absent.
    func count(_ key: String) throws(CheckpointError) -> Int? {
        switch values[key] {
        case nil: return nil
        case .unsigned(let number):
            if let count = Int(exactly: number) { return count }
        case .signed(let number):
            if number >= 0 { return Int(number) }
        default: break
        }
        throw wrongType(key, expected: "a whole number from 0 on")
    }

    func number(_ key: String) throws(CheckpointError) -> Double? {
        switch values[key] {
        case nil: return nil
        case .float(let number): return number
        case .unsigned(let number): return Double(number)
        case .signed(let number): return Double(number)
        default: throw wrongType(key, expected: "a number")
        }
    }

    func flag(_ key: String) throws(CheckpointError) -> Bool? {
        guard let value = values[key] else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(key, expected: "a boolean") }
        return flag
    }

    func text(_ key: String) throws(CheckpointError) -> String? {
        guard let value = values[key] else { return nil }
        guard case .string(let range) = value, let text = string(range) else {
            throw wrongType(key, expected: "a string in UTF-8")
        }
        return text
    }

    /// All keys whose value is a string in UTF-8.
    func strings() -> [String: String] {
        values.compactMapValues { value in
            guard case .string(let range) = value else { return nil }
            return string(range)
        }
    }

    private func string(_ range: Range<Int>) -> String? {
        defer { withExtendedLifetime(file) {} }
        return GGUFText.validated(file.bytes, range)
    }

    /// The elements of an array of strings, as bytes; nil where absent.
    func byteStrings(_ key: String) throws(CheckpointError) -> ByteStrings? {
        guard let array = try array(key, of: .string) else { return nil }
        defer { withExtendedLifetime(file) {} }
        var reader = GGUFReader(file.bytes, path: path)
        try reader.skip(array.range.lowerBound, key)
        var strings = ByteStrings()
        strings.reserveCapacity(array.count)
        for _ in 0..<array.count { strings.append(file.bytes[try reader.string(key)]) }
        strings.shrink()
        return strings
    }

    /// The elements of an array of f32; nil where absent.
    func floats(_ key: String) throws(CheckpointError) -> [Float]? {
        try fixedWidth(key, .float32, UInt32.self)?.map { Float(bitPattern: $0) }
    }

    /// The elements of an array of i32; nil where absent.
    func integers(_ key: String) throws(CheckpointError) -> [Int32]? {
        try fixedWidth(key, .int32, Int32.self)
    }

    /// The elements of an array of u32; nil where absent.
    func unsignedIntegers(_ key: String) throws(CheckpointError) -> [UInt32]? {
        try fixedWidth(key, .uint32, UInt32.self)
    }

    /// The elements of an array of booleans; nil where the value is something else.
    func flags(_ key: String) throws(CheckpointError) -> [Bool]? {
        guard case .array(let array) = values[key], array.elementType == .bool else { return nil }
        return try fixedWidth(key, .bool, UInt8.self)?.map { $0 != 0 }
    }

    private func fixedWidth<Value: FixedWidthInteger>(
        _ key: String, _ type: GGUFValueType, _ element: Value.Type
    ) throws(CheckpointError) -> [Value]? {
        guard let array = try array(key, of: type) else { return nil }
        defer { withExtendedLifetime(file) {} }
        return (0..<array.count).map { index in
            let offset = array.range.lowerBound + index * MemoryLayout<Value>.size
            return Value(
                littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
    }

    private func array(
        _ key: String, of type: GGUFValueType
    ) throws(CheckpointError) -> GGUFArray? {
        guard let value = values[key] else { return nil }
        guard case .array(let array) = value, array.elementType == type else {
            throw wrongType(key, expected: "an array of \(type)")
        }
        return array
    }

    private func wrongType(_ key: String, expected: String) -> CheckpointError {
        .malformed(
            path: path,
            reason: "key '\(key)' must be \(expected), found \(values[key]?.typeName ?? "nothing")")
    }
}
