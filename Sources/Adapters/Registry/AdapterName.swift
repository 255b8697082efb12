/// What may be the name of an adapter, and at which weights it may be used.
enum AdapterName {
    static let maximumCharacterCount = 128

    /// Names stand in URLs, metrics, `name=path` options and logs: letters of any script, digits
    /// and punctuation without `/`, `=`, `\` and white space or control characters.
    ///
    /// - Throws: `AdapterError.invalidName`.
    static func check(_ name: String) throws(AdapterError) {
        guard !name.isEmpty else {
            throw .invalidName(name, reason: "it is empty: give 1 to 128 characters")
        }
        guard name.unicodeScalars.count <= maximumCharacterCount else {
            throw .invalidName(
                name, reason: "it is longer than \(maximumCharacterCount) characters")
        }
        guard name != ".", name != ".." else {
            throw .invalidName(name, reason: "it means a directory: choose another name")
        }
        for scalar in name.unicodeScalars where !isAllowed(scalar) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
            throw .invalidName(
                name,
                reason:
                    "it holds U+\(digits); spaces, control characters, '/', '\\' and '=' are not allowed"
            )
        }
    }

    /// - Throws: `AdapterError.invalidWeight`.
    static func check(weight: Float, of name: String) throws(AdapterError) {
        guard weight.isFinite, abs(weight) <= SelectionEntry.weightLimit else {
            throw .invalidWeight(adapter: name, weight: weight)
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .unassigned, .privateUse, .lineSeparator,
            .paragraphSeparator, .spaceSeparator:
            false
        default: scalar != "/" && scalar != "\\" && scalar != "="
        }
    }
}
