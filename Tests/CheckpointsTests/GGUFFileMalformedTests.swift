import Checkpoints
import Testing

@Suite struct GGUFFileMalformedTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func magicAndVersionAreChecked() throws {
        try expect("the file doesn't begin with 'GGUF'") { $0.magic = [UInt8]("GGML".utf8) }
        for version: UInt32 in [0, 1, 4, .max] {
            try expect("GGUF version \(version) is not supported; supported are 2 and 3") {
                $0.version = version
            }
        }
        try expect("big-endian GGUF is not supported") { $0.version = UInt32(3).byteSwapped }
    }

    @Test func countsAreChecked() throws {
        let huge = "is 18446744073709551615, more than any file can hold"
        try expect("the number of tensors \(huge)") { $0.tensorCount = .max }
        try expect("the number of keys \(huge)") { $0.keyCount = .max }
        try expect("too many tensors: 100001, the limit is 100000") { $0.tensorCount = 100_001 }
        try expect("too many keys: 4097, the limit is 4096") { $0.keyCount = 4097 }
        try expect("truncated: length of a key needs 8 bytes at 64, the file has 64") {
            $0.keyCount = 4096
            $0.set("k", type: 8, GGUFFixture.string("fills two lines too"))
        }
    }

    @Test func keysAreChecked() throws {
        try expect("a key has 0 bytes; 1 to 65535 are allowed") { $0.set("", 1) }
        try expect("a key has 65536 bytes; 1 to 65535 are allowed") {
            $0.set(String(repeating: "k", count: 65_536), 1)
        }
        try expect("duplicate key 'k'") {
            $0.set("k", 1)
            $0.set("k", 2)
        }
        try expect("key 'k' has unknown type 13") { $0.set("k", type: 13, []) }
        try expect("a key is not UTF-8 (byte 32)") {
            $0.keys = [bytes(UInt64(1)) + [0xFF] + bytes(UInt32(4)) + bytes(UInt32(1))]
        }
        try expect("truncated: a key needs 9223372036854775807 bytes at 32, the file has 32") {
            $0.keys = [bytes(UInt64(Int64.max))]
        }
        try expect("length of a key is 18446744073709551615, more than any file can hold") {
            $0.keys = [bytes(UInt64.max)]
        }
    }

    @Test func valuesAreChecked() throws {
        try expect("key 'k' is a boolean with value 2") { $0.set("k", type: 7, [2]) }
        try expect("key 'k' holds an array of arrays") {
            $0.setArray("k", elementType: 9, count: 1, [])
        }
        try expect("key 'k' has unknown type 99") {
            $0.setArray("k", elementType: 99, count: 1, [])
        }
        try expect("'k' has 4194305 elements, the limit is 4194304") {
            $0.setArray("k", elementType: 4, count: 4_194_305, [])
        }
        try expect("truncated: 'k' needs 400 bytes at 49, the file has 64") {
            $0.setArray("k", elementType: 4, count: 100, [])
        }
        try expect("truncated: length of an element of 'k' needs 8 bytes at 58, the file has 64") {
            $0.setArray("k", elementType: 8, count: 4_194_304, GGUFFixture.string("x"))
        }
    }

    @Test(arguments: [0, 3, 33, UInt32.max])
    func alignmentMustBeAPowerOfTwo(alignment: UInt32) throws {
        try expect("'general.alignment' must be an unsigned integer that is a power of two") {
            $0.set("general.alignment", alignment)
        }
    }

    @Test func alignmentMustBeAnInteger() throws {
        let description = "'general.alignment' must be an unsigned integer that is a power of two"
        try expect(description) { $0.set("general.alignment", real: 32) }
        try expect(description) { $0.set("general.alignment", "32") }
    }

    @Test func tensorsAreDescribedProperly() throws {
        let tensor = "tensor 'a'"
        try expect("\(tensor): rank 5 > 4") {
            $0.describe("a", dimensions: [1, 1, 1, 1, 1], offset: 0)
        }
        for dimension: Int64 in [0, -1, .min, (1 << 40) + 1, .max] {
            try expect("\(tensor): dimension \(dimension) is not between 1 and 2^40") {
                $0.describe("a", dimensions: [dimension], offset: 0)
            }
        }
        try expect("\(tensor): shape overflows") {
            $0.describe("a", dimensions: [1 << 40, 1 << 40], offset: 0)
        }
        try expect("\(tensor): shape overflows") {
            $0.describe("a", dimensions: [1 << 40, 1 << 22], offset: 0)
        }
        for type: UInt32 in [4, 5, 31, 99, .max] {
            try expect("\(tensor): unknown type number \(type)") {
                $0.describe("a", dimensions: [1], type: type, offset: 0)
            }
        }
        try expect("\(tensor): rows of 33 elements are not whole Q8_0 blocks of 32") {
            $0.describe("a", dimensions: [33, 32], type: 8, offset: 0)
        }
        try expect("\(tensor): described twice") {
            $0.add("a", dimensions: [1], [1])
            $0.add("a", dimensions: [1], [1])
        }
    }

    @Test(arguments: ["", "a\u{1}", String(repeating: "n", count: 65)])
    func tensorNamesAreChecked(name: String) throws {
        var fixture = GGUFFixture()
        fixture.add(name, dimensions: [1], [1])
        let path = try directory.write(fixture.file, "g")
        do {
            _ = try GGUFFile(path: path)
            Issue.record("accepted")
        } catch {
            #expect(
                error.description.hasSuffix(
                    "names must have 1 to 64 bytes without control characters"))
        }
    }

    @Test func offsetsAreChecked() throws {
        try expect("tensor 'a': offset 4 is not a multiple of the alignment, 32") {
            $0.describe("a", dimensions: [1], offset: 4)
        }
        try expect("tensor 'a': begins at 32, expected 0") {
            $0.describe("a", dimensions: [1], offset: 32)
        }
        try expect("tensor 'b': begins at 0, expected 32") {
            $0.add("a", dimensions: [1], [1])
            $0.describe("b", dimensions: [1], offset: 0)
        }
        try expect("tensor 'b': begins at 64, expected 32") {
            $0.add("a", dimensions: [1], [1])
            $0.describe("b", dimensions: [1], offset: 64)
        }
        let huge: Int64 = 1 << 30
        try expect("tensor 'a': truncated: its data end 4294967296 bytes after the file") {
            $0.describe("a", dimensions: [huge], offset: 0)
        }
    }

    @Test func dataMustBeComplete() throws {
        try expect("tensor 'a': truncated: its data end 1 bytes after the file") {
            $0.add("a", dimensions: [8], [1, 2, 3, 4, 5, 6, 7, 8])
            $0.data.removeLast()
        }
    }

    @Test func everyTruncationOfTheHeadIsRefused() throws {
        var fixture = GGUFFixture.model()
        fixture.add("a", dimensions: [2], [1, 2])
        let whole = fixture.file
        for count in 0..<(whole.count - 24) {
            let path = try directory.write(Array(whole[..<count]), "g")
            #expect(throws: CheckpointError.self) { try GGUFFile(path: path) }
        }
    }

    @Test(arguments: [
        ("tokenizer.ggml.bos_token_id", "'tokenizer.ggml.bos_token_id' is 4, there are 4 tokens")
    ])
    func tokenIdentifiersAreChecked(key: String, description: String) throws {
        var fixture = GGUFFixture()
        fixture.set("tokenizer.ggml.model", "llama")
        fixture.set("tokenizer.ggml.tokens", ["a", "b", "c", "d"])
        fixture.set(key, 4)
        try expectVocabulary(fixture, description)
    }

    @Test func vocabulariesAreChecked() throws {
        let missing =
            "no vocabulary: 'tokenizer.ggml.model' or 'tokenizer.ggml.tokens' is missing"
        try expectVocabulary(GGUFFixture(), missing)
        var fixture = GGUFFixture()
        fixture.set("tokenizer.ggml.model", "llama")
        fixture.set("tokenizer.ggml.tokens", ["a", "b"])
        var short = fixture
        short.set("tokenizer.ggml.scores", [1] as [Float])
        try expectVocabulary(short, "'tokenizer.ggml.scores' has 1 elements for 2 tokens")
        var infinite = fixture
        infinite.set("tokenizer.ggml.scores", [1, .infinity] as [Float])
        try expectVocabulary(infinite, "the score of token 1 is not finite")
        var typed = fixture
        typed.set("tokenizer.ggml.token_type", [1, 2] as [Float])
        try expectVocabulary(
            typed,
            "key 'tokenizer.ggml.token_type' must be an array of int32, found an array")
    }

    private func expectVocabulary(_ fixture: GGUFFixture, _ description: String) throws {
        let path = try directory.write(fixture.file, "g")
        let file = try GGUFFile(path: path)
        expectFailure("PATH: " + description, in: path) { _ = try GGUFVocabulary(from: file) }
    }

    private func expect(
        _ description: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout GGUFFixture) -> Void
    ) throws {
        var fixture = GGUFFixture()
        change(&fixture)
        let path = try directory.write(fixture.file, "g")
        expectFailure("PATH: " + description, in: path, sourceLocation: sourceLocation) {
            _ = try GGUFFile(path: path)
        }
    }
}
