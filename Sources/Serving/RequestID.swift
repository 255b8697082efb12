internal import StrictJSON

/// The name that a client gives to a request; 1 and "1" are different ones, and so are two strings
/// that differ in a byte.
public enum RequestID: Sendable {
    case integer(Int64)
    /// An integer above `Int64.max`.
    case unsigned(UInt64)
    case string(String)

    /// Bytes of a string, at most: every event repeats it.
    static let maximumByteCount = 1024

    /// Nil where the value can't be an id.
    init?(_ value: JSONValue?) {
        switch value {
        case .integer(let number): self = .integer(number)
        case .unsigned(let number): self = .unsigned(number)
        case .number:
            guard let number = value.flatMap(FieldReader.integral) else { return nil }
            self = .integer(Int64(number))
        case .string(let text) where text.utf8.count <= Self.maximumByteCount:
            self = .string(text)
        default: return nil
        }
    }

    /// The id as it was given, an integer as its digits.
    var json: JSONValue {
        switch self {
        case .integer(let number): .integer(number)
        case .unsigned(let number): .unsigned(number)
        case .string(let text): .string(text)
        }
    }
}

/// By bytes: Swift's strings are equal where their characters are, however these are spelled.
extension RequestID: Hashable {
    public static func == (left: RequestID, right: RequestID) -> Bool {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): left == right
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .integer(let number): hasher.combine(number)
        case .unsigned(let number): hasher.combine(number)
        case .string(let text):
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }
}
