/// Why a regular expression can't be compiled, or a match ended without an answer.
public enum ExpressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The pattern says something that it can't; `offset` counts its bytes.
    case invalid(offset: Int, reason: String)
    case tooLong(byteCount: Int, limit: Int)
    /// A match needs more steps, or more memory, than are left.
    case limit

    public var description: String {
        switch self {
        case .invalid(let offset, let reason): "at byte \(offset): \(reason)"
        case .tooLong(let byteCount, let limit):
            "it has \(byteCount) bytes, and the limit is \(limit)"
        case .limit: "it needs too many steps"
        }
    }
}
