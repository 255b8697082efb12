import StrictJSON

/// A value of a JSON document together with the path that leads to it, for error messages.
struct JSONField {
    let path: String
    let value: JSONValue

    /// The member `name`; null where there is none.
    subscript(name: String) -> JSONField {
        JSONField(path: "\(path).\(name)", value: value.objectValue?[name] ?? .null)
    }

    /// Whether the value is null or missing.
    var isAbsent: Bool { value.isNull }

    func object() throws(TokenizationError) -> JSONObject {
        guard let object = value.objectValue else { throw mismatch("an object") }
        return object
    }

    /// The elements of an array, each with its own path.
    func elements() throws(TokenizationError) -> [JSONField] {
        guard let array = value.arrayValue else { throw mismatch("an array") }
        return array.enumerated().map {
            JSONField(path: "\(path)[\($0.offset)]", value: $0.element)
        }
    }

    func string() throws(TokenizationError) -> String {
        guard let string = value.stringValue else { throw mismatch("a string") }
        return string
    }

    /// A flag; `absent` where there is none.
    func flag(absent: Bool) throws(TokenizationError) -> Bool {
        if isAbsent { return absent }
        guard let flag = value.boolValue else { throw mismatch("a boolean") }
        return flag
    }

    /// An integer from 0 up.
    func index() throws(TokenizationError) -> Int {
        guard let index = value.intValue, index >= 0 else { throw mismatch("an integer from 0 up") }
        return index
    }

    /// The error that the value is not `expected`.
    func mismatch(_ expected: String) -> TokenizationError {
        .invalidField(field: path, expected: expected, found: isAbsent ? "missing" : value.typeName)
    }
}
