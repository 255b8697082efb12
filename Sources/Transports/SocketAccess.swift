internal import Glibc

/// Who may connect to a Unix socket.
public struct SocketAccess: Sendable, Equatable {
    /// The file's permissions; connecting takes the right to write.
    public var mode: UInt32
    /// The file's group; nil for the process's.
    public var group: UInt32?

    /// For the user who started the server.
    public static let owner = SocketAccess(mode: 0o600)

    public init(mode: UInt32, group: UInt32? = nil) {
        self.mode = mode
        self.group = group
    }

    /// A mode as people write it: `0660`, `660`, `0o660`.
    ///
    /// - Throws: `TransportError.invalidSocketMode`.
    public static func mode(parsing text: String) throws(TransportError) -> UInt32 {
        let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
        guard digits.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
            let mode = UInt32(digits, radix: 8), mode <= 0o777
        else { throw .invalidSocketMode(text) }
        return mode
    }

    /// A group by its name or number.
    ///
    /// - Throws: `TransportError.unknownGroup`.
    public static func group(named name: String) throws(TransportError) -> UInt32 {
        if !name.utf8.contains(0), let entry = getgrnam(name) { return entry.pointee.gr_gid }
        guard name.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt32(name) else {
            throw .unknownGroup(name)
        }
        return number
    }
}
