internal import RegularExpressions
internal import StrictJSON

/// `adapter_config.json`, read setting by setting: types and ranges are checked, and an account is
/// kept of what was read.
struct AdapterConfiguration {
    /// Above this many bytes a configuration is refused unread.
    static let byteCountLimit = 16 << 20
    static let depthLimit = 16

    let object: JSONObject
    /// For messages.
    let file: String
    private(set) var readNames: Set<String> = []
    /// What its regular expressions may cost, all together.
    let expressionSteps = StepBudget(ModuleExpression.stepLimit)
    /// What was found on the way, one sentence each.
    private(set) var warnings: [String] = []

    /// - Throws: `AdapterError.configuration` where the text is not one JSON object.
    init(parsing text: [UInt8], file: String) throws(AdapterError) {
        self.file = file
        guard !text.isEmpty else { throw .configuration(file: file, reason: "the file is empty") }
        let value: JSONValue
        do {
            value = try JSONValue(
                parsing: text,
                limits: JSONLimits(
                    maximumDepth: Self.depthLimit, maximumByteCount: Self.byteCountLimit))
        } catch {
            throw .configuration(file: file, reason: "not valid JSON: \(error)")
        }
        guard let object = value.objectValue else {
            throw .configuration(file: file, reason: "holds \(value.typeName), expected an object")
        }
        self.object = object
    }

    /// Settings that come from several places.
    init(_ object: JSONObject, file: String) {
        self.object = object
        self.file = file
    }

    /// The same text for the same settings, whatever their order and spacing: for the content hash.
    var canonicalText: String { JSONValue.object(object).sortedByKey.serialized() }

    mutating func warn(_ text: String) { warnings.append("\(file): \(text)") }

    /// The setting's value; nil where absent or null. It counts as read.
    mutating func value(_ name: String) -> JSONValue? {
        readNames.insert(name)
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    /// - Throws: `AdapterError.missingSetting`, `.invalidSetting`.
    mutating func count(_ name: String, limit: Int) throws(AdapterError) -> Int {
        guard let value = try optionalCount(name, limit: limit) else {
            throw .missingSetting(name, file: file)
        }
        return value
    }

    mutating func optionalCount(_ name: String, limit: Int) throws(AdapterError) -> Int? {
        guard let value = value(name) else { return nil }
        return try count(value, name: name, limit: limit)
    }

    mutating func flag(_ name: String) throws(AdapterError) -> Bool {
        guard let value = value(name) else { return false }
        guard let flag = value.boolValue else {
            throw invalid(name, value, expected: "true or false")
        }
        return flag
    }

    mutating func text(_ name: String) throws(AdapterError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else { throw invalid(name, value, expected: "a string") }
        return text
    }

    /// A list of strings, none of them empty; nil where absent or null.
    mutating func texts(_ name: String) throws(AdapterError) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let items = value.arrayValue else {
            throw invalid(name, value, expected: "a list of names")
        }
        return try texts(items, name: name, value: value)
    }

    /// One string, or a list of strings; nil where absent or null.
    mutating func names(_ name: String) throws(AdapterError) -> ModuleNames? {
        guard let value = value(name) else { return nil }
        if let text = value.stringValue { return .expression(text) }
        guard let items = value.arrayValue else {
            throw invalid(name, value, expected: "a list of module names, or a regular expression")
        }
        return .list(try texts(items, name: name, value: value))
    }

    /// Whole numbers from 0, alone or in a list; nil where absent or null.
    mutating func indices(_ name: String) throws(AdapterError) -> Set<Int>? {
        guard let value = value(name) else { return nil }
        var indices: Set<Int> = []
        for item in value.arrayValue ?? [value] {
            guard let index = item.intValue, index >= 0 else {
                throw invalid(name, value, expected: "a layer number, or a list of them")
            }
            indices.insert(index)
        }
        return indices
    }

    /// Members of an object in file order; empty where absent or null.
    mutating func members(
        _ name: String, limit: Int
    ) throws(AdapterError) -> [(key: String, value: JSONValue)] {
        guard let value = value(name) else { return [] }
        guard let object = value.objectValue else {
            throw invalid(name, value, expected: "an object")
        }
        guard object.count <= limit else {
            throw .invalidSetting(
                name, value: "an object of \(object.count) entries", expected: "at most \(limit)",
                file: file)
        }
        return object.map { ($0.key, $0.value) }
    }

    /// A whole number from 1 to `limit`.
    func count(_ value: JSONValue, name: String, limit: Int) throws(AdapterError) -> Int {
        guard let number = value.intValue, (1...limit).contains(number) else {
            throw invalid(name, value, expected: "a whole number from 1 to \(limit)")
        }
        return number
    }

    /// A finite number of magnitude up to a million.
    func number(_ value: JSONValue, name: String) throws(AdapterError) -> Double {
        guard let number = value.doubleValue, number.isFinite, abs(number) <= 1e6 else {
            throw invalid(name, value, expected: "a number from -1000000 to 1000000")
        }
        return number
    }

    /// - Throws: `AdapterError.invalidSetting` for a list that is longer.
    func checkCount(_ count: Int, name: String, limit: Int) throws(AdapterError) {
        guard count > limit else { return }
        throw .invalidSetting(
            name, value: "a list of \(count) entries", expected: "at most \(limit)", file: file)
    }

    func invalid(_ name: String, _ value: JSONValue, expected: String) -> AdapterError {
        .invalidSetting(name, value: value.excerpt, expected: expected, file: file)
    }

    private func texts(
        _ items: [JSONValue], name: String, value: JSONValue
    ) throws(AdapterError) -> [String] {
        try checkCount(items.count, name: name, limit: AdapterLimits.nameCount)
        var texts: [String] = []
        for item in items {
            guard let text = item.stringValue, !text.isEmpty else {
                throw invalid(name, value, expected: "a list of names")
            }
            texts.append(text)
        }
        return texts
    }
}

extension JSONValue {
    /// The value in text where it is short, otherwise what it is.
    var excerpt: String {
        let text = serialized()
        return text.utf8.count <= 120 ? text : typeName
    }

    /// True for null, false, "", [] and {}: a setting that is not set.
    var isUnset: Bool {
        switch self {
        case .null: true
        case .bool(let flag): !flag
        case .string(let text): text.isEmpty
        case .array(let items): items.isEmpty
        case .object(let object): object.count == 0
        default: false
        }
    }

    /// Members of every object in order of their keys.
    ///
    /// Recursion is bounded by the depth limit of parsing.
    fileprivate var sortedByKey: JSONValue {
        switch self {
        case .array(let items): return .array(items.map(\.sortedByKey))
        case .object(let object):
            var sorted = JSONObject()
            for (key, value) in object.sorted(by: { ExactText($0.key) < ExactText($1.key) }) {
                sorted[key] = value.sortedByKey
            }
            return .object(sorted)
        default: return self
        }
    }
}
