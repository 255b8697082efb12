import Checkpoints
import Testing

@Suite struct GGUFFileTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func open(_ fixture: GGUFFixture) throws -> GGUFFile {
        try GGUFFile(path: directory.write(fixture.file, "g"))
    }

    @Test(arguments: [2, 3] as [UInt32])
    func tensorsAndKeysAreRead(version: UInt32) throws {
        var fixture = GGUFFixture()
        fixture.version = version
        fixture.set("general.name", "n")
        fixture.add("a", dimensions: [3, 2], [1, 2, 3, 4, 5, 6])
        fixture.add("b", dimensions: [2], type: 1, bytes(UInt16(0x3C00)) + bytes(UInt16(0xC000)))
        let file = try open(fixture)
        #expect(file.tensorNames == ["a", "b"])
        #expect(file.metadata["general.name"] == "n")
        #expect(try file.readableTensor("a").shape == [2, 3])
        #expect(try file.readableTensor("a").floats() == [1, 2, 3, 4, 5, 6])
        #expect(try file.readableTensor("b").floats() == [1, -2])
        #expect(file.tensor("c") == nil)
    }

    @Test(
        arguments: [("Q8_0", 8, 34), ("Q4_0", 2, 18), ("Q4_1", 3, 20)] as [(String, UInt32, Int)])
    func quantisedTensorsKeepTheirBlocks(name: String, type: UInt32, blockByteCount: Int) throws {
        var fixture = GGUFFixture()
        let content = (0..<(4 * blockByteCount)).map { UInt8($0) }
        fixture.add("a", dimensions: [64, 2], type: type, content)
        let tensor = try open(fixture).readableTensor("a")
        #expect(tensor.elementType.rawValue == name)
        #expect([UInt8](tensor.bytes) == content)
    }

    @Test(arguments: [("I8", 24), ("I16", 25), ("I32", 26), ("I64", 27)] as [(String, UInt32)])
    func integersAreRefusedOnlyWhenAskedFor(name: String, type: UInt32) throws {
        var fixture = GGUFFixture.model()
        fixture.set("llama.vocab_size", 4)
        fixture.add("k", dimensions: [8], type: type, [UInt8](repeating: 0, count: 64))
        fixture.data = Array(fixture.data.prefix(64))
        let file = try open(fixture)
        #expect(try GGUFVocabulary(from: file).pieces.count == 4)
        #expect(file.tensor("k") == nil)
        #expect(file.storedType(of: "k")?.typeName == name)
        let description =
            "PATH: tensor 'k' has type \(name); supported are F32, F16, BF16, F64 and the "
            + "quantised types"
        expectFailure(description, in: file.path) { _ = try file.readableTensor("k") }
        expectFailure(description, in: file.path) { _ = try BaseCheckpoint.open(path: file.path) }
    }

    @Test func alignmentIsFollowed() throws {
        var fixture = GGUFFixture()
        fixture.alignment = 128
        fixture.set("general.alignment", 128)
        fixture.add("a", dimensions: [1], [1])
        fixture.add("b", dimensions: [1], [2])
        #expect(try open(fixture).readableTensor("b").floats() == [2])
    }

    @Test func aFileWithoutTensorsAndKeysIsLegal() throws {
        #expect(try open(GGUFFixture()).tensorNames == [])
    }

    @Test func vocabulariesAreRead() throws {
        var fixture = GGUFFixture.model(architecture: "gemma3")
        fixture.set("tokenizer.ggml.pre", "default")
        fixture.set("tokenizer.ggml.merges", ["a b"])
        fixture.set("tokenizer.ggml.eot_token_id", 3)
        let vocabulary = try GGUFVocabulary(from: open(fixture))
        #expect(
            vocabulary
                == GGUFVocabulary(
                    model: "llama", preTokenizer: "default",
                    pieces: ByteStrings(["<unk>", "<s>", "</s>", "▁a"].map { [UInt8]($0.utf8) }),
                    scores: [0, 0, 0, -1], types: [2, 3, 3, 1], merges: ["a b"], beginningToken: 1,
                    endToken: 2, endOfTurnTokens: [3], addsBeginning: true))
    }
}
