import Foundation

/// Where things are in the checkout.
enum Checkout {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func path(_ relative: String) -> String { root.appendingPathComponent(relative).path }

    static func model(_ name: String) -> String { path("models/\(name)") }

    static func adapter(_ name: String) -> String { path("Tests/Goldens/adapters/\(name)") }

    /// The program under test.
    static var executable: String {
        ProcessInfo.processInfo.environment["GRAFT_EXECUTABLE"] ?? path(".build/release/graft")
    }

    /// SmolLM2-135M-Instruct where the demo has fetched it; nil otherwise.
    static var smolLM2: String? {
        let environment = ProcessInfo.processInfo.environment
        let cache =
            environment["GRAFT_CACHE"]
            ?? (environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache") + "/graft"
        let path = cache + "/models/SmolLM2-135M-Instruct.Q4_1.gguf"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }
}

/// A directory for one test, removed with it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "graft-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
