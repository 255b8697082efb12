/// Why a connection is closed before its first request; the client is told with a line.
public enum ConnectionRefusal: Sendable, Equatable {
    /// There are as many connections as may be.
    case tooMany(limit: Int)
    /// What the client sent is not this protocol: HTTP, TLS, or a web page that tries ports.
    case notTheProtocol

    var error: ServingError {
        switch self {
        case .tooMany(let limit):
            ServingError(
                .overloaded,
                "\(limit) connections are open, which is the limit: try again later")
        case .notTheProtocol:
            ServingError(
                .badJSON,
                "the connection doesn't begin with '{' or white space: send JSON objects, one a line"
            )
        }
    }

    /// The event that says so, `\n` included.
    public var line: String { ServerEvent.failed(error).line(id: nil) }
}
