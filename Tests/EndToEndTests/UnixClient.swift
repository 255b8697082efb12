import Foundation
import Glibc
import StrictJSON

/// A client of the line protocol on a Unix socket. Blocking; for one thread.
final class UnixClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Connects, and waits for a server that is starting.
    init(_ path: String, seconds: Double = 120) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while true {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
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

    func send(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next event; nil at the end of the stream.
    func next() throws -> JSONObject? {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                return try JSONValue(parsing: line).objectValue
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
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
