internal import ArgumentParser

/// One of a few values, named on the command line by its raw value.
enum Choice {
    /// - Throws: `ValidationError` that lists the values.
    static func value<Value: RawRepresentable & CaseIterable>(_ text: String) throws -> Value
    where Value.RawValue == String {
        guard let value = Value(rawValue: text) else {
            let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("expected one of \(names)")
        }
        return value
    }
}
