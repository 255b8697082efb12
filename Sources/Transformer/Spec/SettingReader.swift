internal import StrictJSON

/// Reads typed settings out of a configuration object; every failure names the setting and the
/// file.
struct SettingReader {
    let object: JSONObject
    let file: String

    /// The same with values for keys that are absent.
    func completed(with standard: JSONObject) -> SettingReader {
        var object = object
        for (key, value) in standard where object[key] == nil { object[key] = value }
        return SettingReader(object: object, file: file)
    }

    func isAbsent(_ name: String) -> Bool {
        guard let value = object[name] else { return true }
        return value.isNull
    }

    /// A whole number from 1 to `limit`.
    func count(_ name: String, limit: Int) throws(TransformerError) -> Int {
        guard let value = try optionalCount(name, limit: limit) else {
            throw .missingSetting(name, file: file)
        }
        return value
    }

    /// A whole number from 1 to `limit`; nil where absent or null.
    func optionalCount(_ name: String, limit: Int) throws(TransformerError) -> Int? {
        guard let value = present(name) else { return nil }
        guard let number = value.intValue, number >= 1, number <= limit else {
            throw invalid(name, describe(value), expected: "a whole number from 1 to \(limit)")
        }
        return number
    }

    /// A finite number above zero.
    func positive(
        _ name: String, default fallback: Float? = nil
    ) throws(TransformerError) -> Float {
        guard let value = present(name) else {
            guard let fallback else { throw .missingSetting(name, file: file) }
            return fallback
        }
        return try positive(value, name: name)
    }

    /// A list of `count` finite numbers above zero.
    func positives(_ name: String, count: Int) throws(TransformerError) -> [Float] {
        guard let values = present(name)?.arrayValue, values.count == count else {
            throw invalid(name, "of another length", expected: "a list of \(count) numbers")
        }
        var numbers: [Float] = []
        for value in values { numbers.append(try positive(value, name: name)) }
        return numbers
    }

    func flag(_ name: String, default fallback: Bool) throws(TransformerError) -> Bool {
        guard let value = present(name) else { return fallback }
        guard let flag = value.boolValue else {
            throw invalid(name, describe(value), expected: "true or false")
        }
        return flag
    }

    func optionalText(_ name: String) throws(TransformerError) -> String? {
        guard let value = present(name) else { return nil }
        guard let text = value.stringValue else {
            throw invalid(name, describe(value), expected: "a string")
        }
        return text
    }

    func optionalObject(_ name: String) throws(TransformerError) -> SettingReader? {
        guard let value = present(name) else { return nil }
        guard let object = value.objectValue else {
            throw invalid(name, describe(value), expected: "an object")
        }
        return SettingReader(object: object, file: file)
    }

    func invalid(_ name: String, _ value: String, expected: String) -> TransformerError {
        .invalidSetting(name, value: value, expected: expected, file: file)
    }

    func unsupported(_ name: String, _ value: String, supported: String) -> TransformerError {
        .unsupportedSetting(name, value: value, supported: supported, file: file)
    }

    /// The value where it is neither absent nor null.
    func present(_ name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    private func positive(
        _ value: JSONValue, name: String
    ) throws(TransformerError) -> Float {
        guard let number = value.doubleValue, number > 0,
            number <= Double(Float.greatestFiniteMagnitude)
        else { throw invalid(name, describe(value), expected: "a number above 0") }
        return Float(number)
    }

    /// A value for messages; what is long is named by its type.
    func describe(_ value: JSONValue) -> String {
        let text = value.serialized()
        return text.utf8.count <= 80 ? text : value.typeName
    }
}
