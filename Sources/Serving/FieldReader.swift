internal import StrictJSON

/// Reads the fields of a request strictly: a wrong type or value names its field.
///
/// A field that is null counts as absent.
struct FieldReader {
    let object: JSONObject

    /// - Throws: `bad_request` for a field that the operation doesn't have.
    func refuseFields(besides known: [String], operation: String) throws(ServingError) {
        for key in object.keys where !known.contains(key) {
            let name = Self.shortened(key)
            throw ServingError(
                .badRequest,
                "unknown field '\(name)': \(operation) takes \(known.joined(separator: ", "))",
                field: name)
        }
    }

    subscript(_ field: String) -> JSONValue? {
        guard let value = object[field], !value.isNull else { return nil }
        return value
    }

    func string(_ field: String) throws(ServingError) -> String? {
        guard let value = self[field] else { return nil }
        guard let text = value.stringValue else {
            throw Self.mismatch(field, value, expected: "a string")
        }
        return text
    }

    func requiredString(_ field: String) throws(ServingError) -> String {
        guard let text = try string(field) else { throw Self.missing(field, "a string") }
        return text
    }

    func flag(_ field: String) throws(ServingError) -> Bool? {
        guard let value = self[field] else { return nil }
        guard let flag = value.boolValue else {
            throw Self.mismatch(field, value, expected: "true or false")
        }
        return flag
    }

    func integer(_ field: String, in range: ClosedRange<Int>) throws(ServingError) -> Int? {
        guard let value = self[field] else { return nil }
        guard let number = Self.integral(value), range.contains(number) else {
            throw Self.mismatch(
                field, value, expected: "an integer from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    /// A count of which there may be fewer: beyond `limit` it means as many as there can be.
    func count(_ field: String, limit: Int) throws(ServingError) -> Int? {
        guard let value = self[field] else { return nil }
        switch value {
        case .unsigned: return limit
        case .number(let number) where number.rounded() == number && number >= Double(limit):
            return limit
        default:
            guard let number = Self.integral(value), number >= 0 else {
                throw Self.mismatch(field, value, expected: "an integer from 0")
            }
            return min(number, limit)
        }
    }

    /// An integer, however it is written: `256`, `256.0`, `2.56e2`. Nil for anything else, numbers
    /// among them that 64-bit floating point may have rounded.
    static func integral(_ value: JSONValue) -> Int? {
        guard case .number(let number) = value else { return value.intValue }
        guard abs(number) < 0x1p53 else { return nil }
        return Int(exactly: number)
    }

    func number(_ field: String) throws(ServingError) -> Float? {
        guard let value = self[field] else { return nil }
        return try Self.number(value, field: field)
    }

    /// Token ids; whether the vocabulary has them is checked later.
    func tokens(_ field: String) throws(ServingError) -> [Int32]? {
        guard let value = self[field] else { return nil }
        guard let elements = value.arrayValue else {
            throw Self.mismatch(field, value, expected: "an array of token ids")
        }
        var tokens: [Int32] = []
        tokens.reserveCapacity(elements.count)
        for element in elements {
            guard let token = Self.integral(element).flatMap(Int32.init(exactly:)), token >= 0
            else {
                throw Self.mismatch(
                    field, element, expected: "token ids, integers from 0", isPart: true)
            }
            tokens.append(token)
        }
        return tokens
    }

    static func number(_ value: JSONValue, field: String) throws(ServingError) -> Float {
        guard let number = value.doubleValue.map({ Float($0) }), number.isFinite else {
            throw mismatch(field, value, expected: "a number that fits 32-bit floating point")
        }
        return number
    }

    static func missing(_ field: String, _ expected: String) -> ServingError {
        ServingError(.badRequest, "'\(field)' is missing: give \(expected)", field: field)
    }

    /// - Parameter isPart: whether `value` is inside the field rather than all of it.
    static func mismatch(
        _ field: String, _ value: JSONValue, expected: String, isPart: Bool = false
    ) -> ServingError {
        let found: String =
            switch value {
            case .array, .object: value.typeName
            default: shortened(value.serialized())
            }
        return ServingError(
            .badRequest, "'\(field)' \(isPart ? "holds" : "is") \(found), expected \(expected)",
            field: field)
    }

    /// Cut to a length that suits a message.
    static func shortened(_ text: String) -> String {
        let head = text.unicodeScalars.prefix(64)
        guard head.endIndex < text.unicodeScalars.endIndex else { return text }
        return String(String.UnicodeScalarView(head)) + "…"
    }
}
