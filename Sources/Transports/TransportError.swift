/// Why the server can't listen.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `--listen` has a value that is no address.
    case invalidAddress(String, reason: String)
    case socketPathTooLong(String, limit: Int)
    /// Another process answers on the Unix socket.
    case socketInUse(path: String)
    /// Something that is not a socket stands where the socket should be.
    case notASocket(path: String)
    case cannotListen(address: String, reason: String)

    public var description: String {
        switch self {
        case .invalidAddress(let text, let reason):
            "'\(text)' is no address to listen on: \(reason); "
                + "give HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080"
        case .socketPathTooLong(let path, let limit):
            "\(path): a Unix socket's path has at most \(limit) bytes: choose a shorter one"
        case .socketInUse(let path):
            "\(path): another process listens there: stop it or choose another path"
        case .notASocket(let path):
            "\(path): exists and is not a socket: remove it or choose another path"
        case .cannotListen(let address, let reason):
            "can't listen on \(address): \(reason)"
        }
    }
}
