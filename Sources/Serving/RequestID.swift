internal import StrictJSON

/// The name that a client gives to a request; 1 and "1" are different ones.
public enum RequestID: Hashable, Sendable {
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
        case .string(let text) where text.utf8.count <= Self.maximumByteCount:
            self = .string(text)
        default: return nil
        }
    }

    /// The id as it was given.
    var json: JSONValue {
        switch self {
        case .integer(let number): .integer(number)
        case .unsigned(let number): .unsigned(number)
        case .string(let text): .string(text)
        }
    }
}
