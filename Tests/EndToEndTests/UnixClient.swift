import Foundation
import Glibc
import StrictJSON

/// A client of the line protocol on a Unix socket or on TCP. Blocking, within a limit; for one
/// thread.
final class UnixClient {
    /// How long an event may be waited for.
    static let patience = 120.0

    let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Connects to a port of this machine.
    init(port: Int) throws {
        descriptor = socket(AF_INET, Self.streamType, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size)
            }
        }
        guard status == 0 else { throw UnexpectedOutput(line: "no server at port \(port)") }
    }

    private static var streamType: Int32 { Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue) }

    /// Connects, and waits for a server that is starting.
    init(_ path: String, seconds: Double = patience) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while true {
            let descriptor = socket(AF_UNIX, Self.streamType, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { place in
                for (index, byte) in path.utf8.prefix(place.count - 1).enumerated() {
                    place[index] = byte
                }
            }
            let size = socklen_t(MemoryLayout<sockaddr_un>.size)
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, size)
                }
            }
            if status == 0 {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
            guard Date() < deadline else { throw UnexpectedOutput(line: "no server at \(path)") }
            usleep(20_000)
        }
    }

    deinit { close(descriptor) }

    /// No more is sent.
    func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ line: String) { send(text: line + "\n") }

    func send(text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next event; nil at the end of the stream.
    ///
    /// - Throws: `UnexpectedOutput` when none comes in time.
    func next() throws -> JSONObject? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                return try JSONValue(parsing: line).objectValue
            }
            var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&interest, 1, Int32(Self.patience * 1000)) != 0 else {
                throw UnexpectedOutput(line: "no event in \(Self.patience) seconds")
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    /// Sends a line and returns the next event.
    func ask(_ line: String) throws -> JSONObject {
        send(line)
        guard let event = try next() else {
            throw UnexpectedOutput(line: "the server closed the connection")
        }
        return event
    }

    /// Sends a line and reads up to the `done` or `error` event of a request.
    func answer(_ id: Int, after line: String) throws -> JSONObject? {
        send(line)
        return try answer(id)
    }

    /// Reads up to the `done` or `error` event of a request.
    func answer(_ id: Int) throws -> JSONObject? {
        while let event = try next() {
            let kind = event["event"]?.stringValue
            if event["id"]?.intValue == id, kind == "done" || kind == "error" { return event }
        }
        return nil
    }
}
