import Foundation
import Testing

/// A directory that lives as long as one test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "graft-checkpoints-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func place(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: place(name)))
        return place(name)
    }

    @discardableResult
    func write(_ text: String, _ name: String) throws -> String {
        try write([UInt8](text.utf8), name)
    }

    func makeDirectory(_ name: String) throws -> String {
        try FileManager.default.createDirectory(
            atPath: place(name), withIntermediateDirectories: true)
        return place(name)
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: place(name))))
    }

    var names: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? []
    }
}

/// Little-endian bytes of an integer.
func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
}

/// Little-endian bytes of f32 values.
func bytes(_ values: [Float]) -> [UInt8] { values.flatMap { bytes($0.bitPattern) } }

/// Runs `body`, which must fail with an error whose description, after `path`, is `description`.
func expectFailure(
    _ description: String, in path: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("accepted; expected: \(description)", sourceLocation: sourceLocation)
    } catch {
        let found = "\(error)".replacing(path, with: "PATH")
        #expect(found == description, sourceLocation: sourceLocation)
    }
}
