import Adapters
import Checkpoints
import Foundation
import Synchronization
import Testing
import Transformer

/// What a GGUF LoRA says of itself: read, held against the base, or named.
@Suite struct GGUFLoRASettingsTests {
    private let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func read(_ fixture: GGUFLoRAFixture, strict: Bool = false) throws -> LoadedAdapter {
        try? FileManager.default.removeItem(atPath: reading.directory.path + "/lora.gguf")
        return try reading.read(
            path: fixture.write(to: reading.directory), options: AdapterOptions(strict: strict))
    }

    private func warnings(_ fixture: GGUFLoRAFixture) throws -> [String] {
        try read(fixture).warnings.map {
            $0.replacingOccurrences(of: reading.directory.path + "/", with: "")
        }
    }

    private func failure(_ fixture: GGUFLoRAFixture, strict: Bool = false) -> String {
        reading.failure { _ = try read(fixture, strict: strict) }
    }

    @Test func whatItSaysIsUsed() throws {
        #expect(try warnings(GGUFLoRAFixture()) == [])
        #expect(failure(GGUFLoRAFixture(), strict: true) == "no error")
    }

    /// llama.cpp refuses it; rows of Q and K lie in another order there.
    @Test func anotherArchitectureIsRefused() throws {
        #expect(
            failure(GGUFLoRAFixture(architecture: "qwen2"))
                == "lora.gguf: 'general.architecture' is \"qwen2\", expected \"llama\", the base's: it "
                + "was made for another base")
    }

    @Test func anotherArchitectureIsRefusedWhereOnlyTheHeaderIsRead() throws {
        let registry = AdapterRegistry(base: reading.base, pool: TinyBase.pool)
        let first = try GGUFLoRAFixture().write(to: reading.directory)
        let second = try GGUFLoRAFixture(architecture: "qwen2").write(
            to: reading.directory, name: "other.gguf")
        try registry.register(name: "first", path: first)
        #expect(
            reading.failure { try registry.register(name: "second", path: second) }
                .contains("'general.architecture' is \"qwen2\""))
    }

    @Test func aMissingAlphaIsNamed() throws {
        #expect(
            try warnings(GGUFLoRAFixture(alpha: nil)) == [
                "lora.gguf: 'adapter.lora.alpha' is missing: scaling is 1, as in llama.cpp"
            ])
    }

    @Test func anAlphaThatIsNoNumberIsRefused() throws {
        #expect(
            failure(GGUFLoRAFixture(alpha: .float(.nan)))
                == "lora.gguf: 'adapter.lora.alpha' is nan, expected a number from -1000000 to 1000000"
        )
        #expect(failure(GGUFLoRAFixture(alpha: .float(.infinity))).contains("is inf, expected"))
        #expect(
            failure(GGUFLoRAFixture(alpha: .text("8")))
                == "lora.gguf: key 'adapter.lora.alpha' must be a number, found a string")
        #expect(failure(GGUFLoRAFixture(alpha: .count(8))) == "no error")
    }

    @Test func unknownKeysAreNamedOrRefused() throws {
        let fixture = GGUFLoRAFixture(keys: [
            ("adapter.lora.prompt_prefix", .text("law: ")), ("general.author", .text("me")),
            ("adapter.lora.rslora", .count(1)),
        ])
        #expect(
            try warnings(fixture) == [
                "lora.gguf: unknown and ignored: 'adapter.lora.prompt_prefix' is \"law: \", "
                    + "'adapter.lora.rslora' is 1"
            ])
        #expect(
            failure(fixture, strict: true)
                == "lora.gguf: unknown setting 'adapter.lora.prompt_prefix' is \"law: \": with "
                + "--strict-adapters every setting must be known; remove it if it has no meaning in "
                + "inference")
    }

    @Test(arguments: [
        ("block_count", UInt32(2), UInt32(3)), ("embedding_length", 16, 32),
        ("feed_forward_length", 24, 25), ("attention.head_count", 4, 8),
        ("attention.head_count_kv", 2, 4), ("attention.key_length", 4, 8),
    ])
    func sizesOfAnotherBaseAreRefused(key: String, own: UInt32, other: UInt32) throws {
        let right = GGUFLoRAFixture(keys: [("llama." + key, .count(own))])
        #expect(try warnings(right) == [])
        let wrong = GGUFLoRAFixture(keys: [("llama." + key, .count(other))])
        #expect(
            failure(wrong)
                == "lora.gguf: 'llama.\(key)' is \(other), expected \(own), the base's: it was trained "
                + "on another base")
    }

    @Test func aNormOfAnotherFamilyIsRefused() throws {
        var fixture = GGUFLoRAFixture()
        fixture.tensors.append(FloatTensor("blk.0.attn_q_norm.weight", [4], seed: 4))
        #expect(
            failure(fixture)
                == "lora.gguf: unexpected tensor 'blk.0.attn_q_norm.weight': no norm of the bases that it "
                + "is read for has this name")
    }

    @Test func convertingSaysTheSame() throws {
        let path = try GGUFLoRAFixture(alpha: nil, keys: [("adapter.x", .count(3))]).write(
            to: reading.directory)
        let report = try AdapterConversion(
            from: path, basePath: reading.directory.path + "/base"
        ).write(as: .peft, to: reading.directory.path + "/out")
        #expect(report.notes.count == 2)
        #expect(report.notes.last?.hasSuffix("unknown and ignored: 'adapter.x' is 3") == true)
        let other = try GGUFLoRAFixture(architecture: "qwen2").write(
            to: reading.directory, name: "qwen2.gguf")
        #expect(
            reading.failure {
                _ = try AdapterConversion(
                    from: other, basePath: reading.directory.path + "/base")
            }.contains("it was made for another base"))
    }

    /// Were it mapped, reading behind its new end would end the process.
    @Test func aFileThatShrinksWhileItIsReadEndsInASentence() async throws {
        let path = try GGUFLoRAFixture().write(to: reading.directory)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let isDone = Mutex(false)
        let changing = Task.detached {
            while !isDone.withLock({ $0 }) {
                truncate(path, 200)
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                try handle.write(contentsOf: whole)
                try handle.close()
            }
        }
        for _ in 0..<400 { _ = reading.failure { _ = try reading.read(path: path) } }
        isDone.withLock { $0 = true }
        try await changing.value
    }
}
