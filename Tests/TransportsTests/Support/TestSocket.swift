import Glibc
import Transports

/// A blocking client.
final class TestSocket: Sendable {
    let descriptor: Int32

    enum Failure: Error { case connect(Int32), write(Int32) }

    init(unixSocket path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try connect(&address)
    }

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        try connect(&address)
    }

    deinit { Glibc.close(descriptor) }

    private func connect<Address>(_ address: inout Address) throws {
        let size = socklen_t(MemoryLayout<Address>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, size)
            }
        }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard result == 0 else { throw Failure.connect(errno) }
    }

    func send(_ text: String, byteByByte: Bool = false) throws {
        let bytes = Array(text.utf8)
        let size = byteByByte ? 1 : bytes.count
        for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
            var sent = start
            while sent < min(start + size, bytes.count) {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(
                        descriptor, $0.baseAddress! + sent, min(start + size, bytes.count) - sent,
                        Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure.write(errno) }
                sent += count
            }
        }
    }

    /// No more is sent.
    func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection with RST instead of FIN.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdownNow()
    }

    /// Takes the connection's end away from the descriptor, which stays reserved.
    private func shutdownNow() {
        let null = open("/dev/null", O_RDWR)
        dup2(null, descriptor)
        Glibc.close(null)
    }

    /// Text up to and with the given count of lines, or less at the end of the connection.
    func read(lineCount: Int) -> String {
        var text: [UInt8] = []
        var count = 0
        var byte: UInt8 = 0
        while count < lineCount, Glibc.read(descriptor, &byte, 1) == 1 {
            text.append(byte)
            if byte == UInt8(ascii: "\n") { count += 1 }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Everything until the server ends the connection.
    func readAll() -> String { read(lineCount: .max) }
}
