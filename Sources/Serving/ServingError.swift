/// Why a request is refused or given up, as the client is told.
public struct ServingError: Error, Equatable, Sendable, CustomStringConvertible {
    public let code: ErrorCode
    /// One sentence that says what to do.
    public let message: String
    /// The request's field to blame, where one is.
    public let field: String?

    public init(_ code: ErrorCode, _ message: String, field: String? = nil) {
        self.code = code
        self.message = message
        self.field = field
    }

    public var description: String { message }
}
