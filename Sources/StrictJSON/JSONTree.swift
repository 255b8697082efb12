internal import CJSON

/// The values that json-c made of a text; freed with this object.
final class JSONTree {
    /// The outermost value; nil is JSON's null.
    let root: OpaquePointer?

    /// Parses a text whose tokens `scan` has found well formed.
    ///
    /// - Throws: `JSONError` where the tokens stand in an order that the grammar doesn't have.
    init(
        _ bytes: UnsafeBufferPointer<UInt8>, scan: JSONScanner.Result, maximumDepth: Int
    ) throws(JSONError) {
        // json-c counts the outermost value as a level of its own.
        guard let tokener = json_tokener_new_ex(Int32(maximumDepth + 2)) else {
            throw .syntax(reason: "out of memory", offset: 0)
        }
        defer { json_tokener_free(tokener) }
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8)
        let text = UnsafeBufferPointer(rebasing: bytes[..<scan.endOffset])
        if scan.wideIntegerEnds.isEmpty {
            root = Self.parse(text, tokener)
        } else {
            root = Self.withExponents(text, after: scan.wideIntegerEnds).withUnsafeBufferPointer {
                Self.parse($0, tokener)
            }
        }
        let end = json_tokener_get_parse_end(tokener)
        switch json_tokener_get_error(tokener) {
        case json_tokener_success: return
        case json_tokener_continue: throw .unexpectedEnd(offset: scan.endOffset)
        case let error:
            let reason = json_tokener_error_desc(error).map(String.init(cString:))
            throw Self.syntaxError(reason ?? "not JSON", at: end, bytes, scan)
        }
    }

    deinit { json_object_put(root) }

    private static func parse(
        _ text: UnsafeBufferPointer<UInt8>, _ tokener: UnsafeMutablePointer<json_tokener>
    ) -> OpaquePointer? {
        let value = text.withMemoryRebound(to: CChar.self) { characters in
            json_tokener_parse_ex(tokener, characters.baseAddress, Int32(characters.count))
        }
        guard json_tokener_get_error(tokener) == json_tokener_continue else { return value }
        // A number at the very end is complete only once something follows it.
        return json_tokener_parse_ex(tokener, "", 1)
    }

    /// Makes floating-point literals of integers that json-c would refuse or cut to 64 bits.
    private static func withExponents(
        _ text: UnsafeBufferPointer<UInt8>, after ends: [Int]
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 2 * ends.count)
        var start = 0
        for end in ends {
            result += text[start..<end]
            result += [UInt8(ascii: "e"), UInt8(ascii: "0")]
            start = end
        }
        result += text[start...]
        return result
    }

    private static func syntaxError(
        _ reason: String, at end: Int, _ bytes: UnsafeBufferPointer<UInt8>,
        _ scan: JSONScanner.Result
    ) -> JSONError {
        var offset = end
        for wideEnd in scan.wideIntegerEnds where wideEnd + 2 <= offset { offset -= 2 }
        guard offset < scan.endOffset else { return .unexpectedEnd(offset: scan.endOffset) }
        return .unexpectedByte(bytes[offset], offset: offset)
    }
}

/// Turns json-c's values into Swift's, and counts the members it meets.
struct JSONTreeConversion {
    private(set) var memberCount = 0

    /// - Complexity: O(size of the value); recursion is as deep as the value, which the parser has
    ///   bounded.
    mutating func value(of tree: OpaquePointer?) -> JSONValue {
        switch json_object_get_type(tree) {
        case json_type_boolean: .bool(json_object_get_boolean(tree) != 0)
        case json_type_double: .number(json_object_get_double(tree))
        case json_type_int: integer(of: tree)
        case json_type_string: .string(string(of: tree))
        case json_type_array: .array(elements(of: tree))
        case json_type_object: .object(members(of: tree))
        default: .null
        }
    }

    private func integer(of tree: OpaquePointer?) -> JSONValue {
        let signed = json_object_get_int64(tree)
        guard signed == .max else { return .integer(signed) }
        let unsigned = json_object_get_uint64(tree)
        return unsigned > UInt64(Int64.max) ? .unsigned(unsigned) : .integer(signed)
    }

    private func string(of tree: OpaquePointer?) -> String {
        let count = Int(json_object_get_string_len(tree))
        guard let characters = json_object_get_string(tree) else { return "" }
        return characters.withMemoryRebound(to: UInt8.self, capacity: count) {
            String(decoding: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self)
        }
    }

    private mutating func elements(of tree: OpaquePointer?) -> [JSONValue] {
        let count = json_object_array_length(tree)
        var elements: [JSONValue] = []
        elements.reserveCapacity(count)
        for index in 0..<count {
            elements.append(value(of: json_object_array_get_idx(tree, index)))
        }
        return elements
    }

    private mutating func members(of tree: OpaquePointer?) -> JSONObject {
        let count = Int(json_object_object_length(tree))
        memberCount += count
        var members: [JSONObject.Element] = []
        members.reserveCapacity(count)
        var iterator = json_object_iter_begin(tree)
        for _ in 0..<count {
            let key = json_object_iter_peek_name(&iterator).map(String.init(cString:)) ?? ""
            members.append((key, value(of: json_object_iter_peek_value(&iterator))))
            json_object_iter_next(&iterator)
        }
        return JSONObject(distinct: members)
    }
}
