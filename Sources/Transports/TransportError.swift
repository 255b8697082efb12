/// Why the server can't listen.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `--listen` has a value that is no address.
    case invalidAddress(String, reason: String)
    case socketPathTooLong(String, limit: Int)
    /// Another process answers on the Unix socket.
    case socketInUse(path: String)
    /// Something that is not a socket stands where the socket should be.
    case notASocket(path: String)
    /// `--socket-mode` has a value that is no mode.
    case invalidSocketMode(String)
    /// `--socket-group` names no group of this machine.
    case unknownGroup(String)
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
        case .invalidSocketMode(let text):
            "'\(text)' is no mode of a file: give octal digits from 0 to 777, for example 660"
        case .unknownGroup(let name):
            "there is no group '\(name)' on this machine: create it, or give another name or a number"
        case .cannotListen(let address, let reason):
            "can't listen on \(address): \(reason)"
        }
    }
}
