import Foundation
import Glibc

/// A program that runs beside the test.
///
/// Its end is waited for directly, not by the end of a descriptor that other programs may have
/// inherited. It inherits the three standard streams alone, whatever other tests have open.
final class ChildProcess {
    struct LaunchFailure: Error { let reason: String }

    let identifier: pid_t
    private var status: Int32?

    /// - Parameters:
    ///   - environment: variables beside those of this process, or instead of them.
    ///   - input: the file that it reads; nothing without one.
    ///   - output: where its output goes; nowhere without one.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        input: String = "/dev/null",
        output: String = "/dev/null", errors: String = "/dev/null"
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY, 0)
        for descriptor in Self.openDescriptors() where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        // Signals are as a shell would leave them, whatever the testing thread blocks.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = Self.cStrings([executable] + arguments)
        let variables = Self.cStrings(
            ProcessInfo.processInfo.environment.merging(environment) { $1 }.map {
                "\($0.key)=\($0.value)"
            })
        defer { for string in words + variables { free(string) } }
        var child = pid_t()
        let failure = posix_spawn(&child, executable, &actions, &attributes, words, variables)
        guard failure == 0 else {
            throw LaunchFailure(reason: "\(executable): \(String(cString: strerror(failure)))")
        }
        identifier = child
    }

    private static func openDescriptors() -> [Int32] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return names?.compactMap { Int32($0) } ?? []
    }

    /// Copies with a null at the end, to be freed.
    private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }

    func terminate() { signal(SIGTERM) }

    /// Whether it hasn't ended.
    var isRunning: Bool {
        if status == nil { check() }
        return status == nil
    }

    func kill() {
        signal(SIGKILL)
        waitUntilExit()
    }

    /// What `waitUntilExit` returns of a program that it had to end itself.
    static let overdue = Int32.min

    private func signal(_ number: Int32) {
        if status == nil { Glibc.kill(identifier, number) }
    }

    /// A program that takes longer than `seconds` is killed.
    ///
    /// - Returns: the exit status; minus the signal's number where one ended it, or `overdue`.
    @discardableResult
    func waitUntilExit(seconds: Double = 300) -> Int32 {
        let deadline = Date().addingTimeInterval(seconds)
        while status == nil {
            check()
            if status != nil { break }
            guard Date() < deadline else {
                signal(SIGKILL)
                while status == nil { check(options: 0) }
                status = Self.overdue
                break
            }
            usleep(2000)
        }
        return status ?? Self.overdue
    }

    private func check(options: Int32 = WNOHANG) {
        var word: Int32 = 0
        guard waitpid(identifier, &word, options) == identifier else { return }
        status = word & 0x7F == 0 ? (word >> 8) & 0xFF : -(word & 0x7F)
    }

    deinit { if status == nil { kill() } }
}
