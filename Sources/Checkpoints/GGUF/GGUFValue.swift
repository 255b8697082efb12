/// A value of GGUF's key-value section. Strings and arrays stay in the file and are decoded on
/// demand.
enum GGUFValue {
    case unsigned(UInt64)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    case string(Range<Int>)
    case array(GGUFArray)

    /// What the value is, for messages.
    var typeName: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .float: "a number"
        case .bool: "a boolean"
        case .string: "a string"
        case .array: "an array"
        }
    }
}

/// An array of GGUF's key-value section, by its place in the file.
struct GGUFArray {
    let elementType: GGUFValueType
    let count: Int
    /// The bytes of all elements.
    let range: Range<Int>
}

/// The types of GGUF's key-value section, as numbered there.
enum GGUFValueType: UInt32 {
    case uint8 = 0
    case int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// Bytes of a value; nil where they vary.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

extension GGUFReader {
    /// Reads a value of a type that the file names; `key` is for messages.
    mutating func value(key: String) throws(CheckpointError) -> GGUFValue {
        let type = try valueType(key: key)
        guard type == .array else { return try scalar(type, key: key) }
        let elementType = try valueType(key: key)
        let count = try count("length of '\(key)'")
        guard count <= CheckpointLimits.ggufElementCount else {
            throw .malformed(
                path: path,
                reason: "'\(key)' has \(count) elements, the limit is "
                    + "\(CheckpointLimits.ggufElementCount)")
        }
        let start = offset
        switch elementType {
        case .array:
            throw .malformed(path: path, reason: "key '\(key)' holds an array of arrays")
        case .string:
            for _ in 0..<count { _ = try string("an element of '\(key)'") }
        default:
            guard let byteCount = CheckedArithmetic.product(count, elementType.byteCount ?? 0)
            else {
                throw .malformed(path: path, reason: "the length of '\(key)', \(count), overflows")
            }
            try skip(byteCount, "'\(key)'")
        }
        return .array(GGUFArray(elementType: elementType, count: count, range: start..<offset))
    }

    /// Reads a value that is not an array.
    mutating func scalar(
        _ type: GGUFValueType, key: String
    ) throws(CheckpointError) -> GGUFValue {
        switch type {
        case .uint8: return .unsigned(UInt64(try integer(UInt8.self, key)))
        case .uint16: return .unsigned(UInt64(try integer(UInt16.self, key)))
        case .uint32: return .unsigned(UInt64(try integer(UInt32.self, key)))
        case .uint64: return .unsigned(try integer(UInt64.self, key))
        case .int8: return .signed(Int64(try integer(Int8.self, key)))
        case .int16: return .signed(Int64(try integer(Int16.self, key)))
        case .int32: return .signed(Int64(try integer(Int32.self, key)))
        case .int64: return .signed(try integer(Int64.self, key))
        case .float32: return .float(Double(Float(bitPattern: try integer(UInt32.self, key))))
        case .float64: return .float(Double(bitPattern: try integer(UInt64.self, key)))
        case .string: return .string(try string("'\(key)'"))
        case .bool, .array:
            let byte = try integer(UInt8.self, key)
            guard byte <= 1 else {
                throw .malformed(path: path, reason: "key '\(key)' is a boolean with value \(byte)")
            }
            return .bool(byte == 1)
        }
    }

    private mutating func valueType(key: String) throws(CheckpointError) -> GGUFValueType {
        let number = try integer(UInt32.self, "type of '\(key)'")
        guard let type = GGUFValueType(rawValue: number) else {
            throw .malformed(path: path, reason: "key '\(key)' has unknown type \(number)")
        }
        return type
    }
}
