internal import StrictJSON

// Settings of the kinds that methods have, with what stands for one that isn't there.
extension AdapterConfiguration {
    /// A rank above this is a mistake, not a low rank.
    static let rankLimit = LoRASettings.rankLimit
    private static let patternCountLimit = 4096

    /// A count that PEFT has a standard for where the setting is absent. One that is null is
    /// refused: PEFT can't compute with it.
    mutating func count(_ name: String, limit: Int, absent: Int) throws(AdapterError) -> Int {
        guard try isPresent(name) else { return absent }
        return try count(name, limit: limit)
    }

    /// A number that PEFT has a standard for where the setting is absent, and none where it is
    /// null.
    mutating func number(_ name: String, absent: Double) throws(AdapterError) -> Double {
        guard try isPresent(name), let value = value(name) else { return absent }
        return try number(value, name: name)
    }

    /// - Throws: `AdapterError.invalidSetting` for null.
    private mutating func isPresent(_ name: String) throws(AdapterError) -> Bool {
        guard let value = object[name] else { return false }
        guard !value.isNull else {
            throw invalid(name, value, expected: "a number, or no such setting")
        }
        return true
    }

    /// A number, or `standard` where absent or null.
    mutating func number(_ name: String, standard: Double) throws(AdapterError) -> Double {
        guard let value = value(name) else { return standard }
        return try number(value, name: name)
    }

    /// A flag, or `standard` where absent or null.
    mutating func flag(_ name: String, standard: Bool) throws(AdapterError) -> Bool {
        guard value(name) != nil else { return standard }
        return try flag(name)
    }

    /// One of the texts of `allowed`.
    mutating func choice(
        _ name: String, _ allowed: [String], standard: String
    ) throws(AdapterError) -> String {
        guard let text = try text(name) else { return standard }
        guard allowed.contains(text) else {
            throw invalid(
                name, .string(text),
                expected: allowed.map { "\"\($0)\"" }.joined(separator: ", "))
        }
        return text
    }

    /// A seed of a generator: a whole number from 0.
    mutating func seed(_ name: String, standard: UInt64) throws(AdapterError) -> UInt64 {
        guard let value = value(name) else { return standard }
        guard let seed = value.intValue, seed >= 0 else {
            throw invalid(name, value, expected: "a whole number from 0")
        }
        return UInt64(seed)
    }

    /// Values by module, as `rank_pattern` has them.
    ///
    /// - Parameter standard: of modules that no pattern matches.
    mutating func moduleValues<Value>(
        _ name: String, standard: Value,
        read: (JSONValue, AdapterConfiguration) throws(AdapterError) -> Value
    ) throws(AdapterError) -> ModuleValues<Value> {
        var values = ModuleValues(standard: standard, budget: expressionSteps)
        if object[name]?.isNull == true {
            warn("'\(name)' is null, which PEFT can't read: it was taken for empty")
        }
        for (key, value) in try members(name, limit: Self.patternCountLimit) {
            try values.append(key, try read(value, self), setting: name, file: file)
        }
        return values
    }
}
