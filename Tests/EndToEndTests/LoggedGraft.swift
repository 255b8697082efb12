import Foundation
import Glibc

/// `graft serve` whose log a test can look at while it runs.
final class LoggedGraft {
    private let folder: TemporaryDirectory
    let process: ChildProcess

    /// - Parameters:
    ///   - arguments: `SOCKET` stands for the path of a socket.
    ///   - descriptorLimit: files that it may have open.
    ///   - inheritsDescriptors: whether it is started with seven of them open (3 to 9).
    init(
        _ arguments: [String], input: String = "/dev/null", output: String = "/dev/null",
        descriptorLimit: Int? = nil, inheritsDescriptors: Bool = false
    ) throws {
        folder = try TemporaryDirectory()
        let (socket, errors) = (folder.file("s"), folder.file("errors"))
        try Data().write(to: URL(fileURLWithPath: errors))
        let words = ["serve"] + arguments.map { $0 == "SOCKET" ? socket : $0 }
        if let descriptorLimit {
            let inherited =
                inheritsDescriptors
                ? (3...9).map { "exec \($0)</dev/null; " }.joined() : ""
            let script = "\(inherited)ulimit -n \(descriptorLimit); exec \"$@\""
            process = try ChildProcess(
                "/bin/sh", ["-c", script, "sh", Checkout.executable] + words, input: input,
                output: output, errors: errors)
        } else {
            process = try ChildProcess(
                Checkout.executable, words, input: input, output: output, errors: errors)
        }
    }

    var socket: String { folder.file("s") }

    /// A client of the socket, as soon as it listens.
    func connect() throws -> UnixClient { try UnixClient(socket) }

    /// What has been logged so far.
    func log() throws -> String {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.file("errors")))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Waits for a text in the log and returns the log.
    @discardableResult
    func waitForLog(_ text: String, seconds: Double = 120) throws -> String {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            let log = try log()
            if log.contains(text) { return log }
            guard process.isRunning else { break }
            usleep(1000)
        }
        throw UnexpectedOutput(line: "no '\(text)' in the log: \(try log())")
    }

    /// The port of 127.0.0.1 that it listens on.
    func port() throws -> Int {
        let mark = "address=127.0.0.1:"
        let log = try waitForLog(mark)
        let digits = log.components(separatedBy: mark)[1].prefix { $0.isNumber }
        guard let port = Int(digits) else { throw UnexpectedOutput(line: log) }
        return port
    }

    /// Processor time that it has used, in hundredths of a second.
    func processorTicks() throws -> Int {
        let path = "/proc/\(process.identifier)/stat"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        // Behind the name, which may have spaces: state is field 3, times are fields 14 and 15.
        let fields = text.components(separatedBy: ") ").last?.split(separator: " ") ?? []
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    deinit { process.kill() }
}

/// A pipe in the file system that stays open at both ends as long as this object lives.
final class NamedPipe {
    let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw UnexpectedOutput(line: "no pipe at \(path)") }
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    }

    deinit { close(descriptor) }

    /// Writes what is taken within a few seconds; a reader that is held back takes no more.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        var patience = 20
        while sent < bytes.count, patience > 0 {
            let count = bytes[sent...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 {
                sent += count
            } else {
                patience -= 1
                usleep(5000)
            }
        }
    }
}
