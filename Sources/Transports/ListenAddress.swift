/// A TCP address to listen on, as `--listen HOST:PORT` gives it.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A name or an address; IPv6 without brackets.
    public let host: String
    /// 0 lets the system choose.
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Throws: `TransportError.invalidAddress`.
    public init(parsing text: String) throws(TransportError) {
        guard let colon = text.lastIndex(of: ":") else {
            throw .invalidAddress(text, reason: "the port is missing")
        }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
            port <= 65535
        else { throw .invalidAddress(text, reason: "the port is not a number from 0 to 65535") }
        host = try Self.host(text[..<colon], of: text)
        self.port = port
    }

    private static func host(
        _ part: Substring, of text: String
    ) throws(TransportError) -> String {
        if part.hasPrefix("["), part.hasSuffix("]"), part.count > 2 {
            return String(part.dropFirst().dropLast())
        }
        guard !part.isEmpty else { throw .invalidAddress(text, reason: "the host is missing") }
        guard !part.contains(where: { "[]:/ ".contains($0) }) else {
            throw .invalidAddress(text, reason: "an IPv6 host stands in brackets")
        }
        return String(part)
    }

    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
