/// What went wrong, as clients tell failures apart. The raw values are the protocol's.
public enum ErrorCode: String, Sendable, CaseIterable {
    case badJSON = "bad_json"
    case badRequest = "bad_request"
    case lineTooLong = "line_too_long"
    case duplicateID = "duplicate_id"
    case unknownOperation = "unknown_op"
    case adapterNotFound = "adapter_not_found"
    case adapterInvalid = "adapter_invalid"
    case adapterInUse = "adapter_in_use"
    case adapterIncompatible = "adapter_incompatible"
    case contextTooLong = "context_too_long"
    /// The operation is for clients with more rights.
    case notPermitted = "not_permitted"
    case overloaded
    case shuttingDown = "shutting_down"
    case `internal`
}
