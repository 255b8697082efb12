import Foundation
import FuzzTargets
import Testing

/// Mutants of real files, some of each kind: every one is read or refused. `tools/fuzz` goes on
/// from here.
struct FuzzingTests {
    private static let checkout = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    /// Mutants of each target.
    private static let count = 60

    private static func folder() throws -> String {
        let path = NSTemporaryDirectory() + "graft-mutants-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Otherwise mutants would be refused for what the seeds lack.
    @Test(arguments: FuzzTargets.names)
    func seedsAreRead(name: String) throws {
        let target = try #require(try FuzzTargets.make(name, checkout: Self.checkout))
        for index in 0..<target.seedCount {
            let folder = try Self.folder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try target.seed(index).write(to: folder)
            try target.read(folder)
        }
    }

    /// Whatever is thrown is a refusal; a trap ends the test run.
    @Test(arguments: FuzzTargets.names)
    func mutantsAreReadOrRefused(name: String) throws {
        let target = try #require(try FuzzTargets.make(name, checkout: Self.checkout))
        #expect(target.seedCount > 0)
        var refusedCount = 0
        for index in 0..<Self.count {
            var random = SplitMix(seed: UInt64(index) &+ 0x6_7261_6674)
            let folder = try Self.folder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try target.mutant(&random).write(to: folder)
            do { try target.read(folder) } catch {
                refusedCount += 1
                #expect(!"\(error)".isEmpty)
            }
        }
        #expect(refusedCount > 0)
    }

    /// Mutants that once ended a reader, by target: Tests/Fuzzing/Found.
    @Test(arguments: FuzzTargets.names)
    func whatWasFoundIsReadOrRefused(name: String) throws {
        let found = Self.checkout + "/Tests/Fuzzing/Found"
        let names = try FileManager.default.contentsOfDirectory(atPath: found).sorted()
            .filter { $0.hasPrefix(name + "-") && !$0.dropFirst(name.count + 1).contains("-lora") }
        guard !names.isEmpty else { return }
        let target = try #require(try FuzzTargets.make(name, checkout: Self.checkout))
        for find in names {
            #expect(throws: (any Error).self, "\(find)") { try target.read(found + "/" + find) }
        }
    }
}
