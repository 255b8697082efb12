import Checkpoints
import StrictJSON
import Testing

@Suite struct PackedFormatTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static let vocabularies: [TokenizerAssets.Vocabulary] = [
        .sentencePiece(modelBytes: []),
        .sentencePiece(modelBytes: [0xFF]),
        .sentencePiece(modelBytes: [0, 1, 2, 254, 255]),
        .sentencePiece(modelBytes: (0..<256).map { UInt8($0) } + (0..<256).map { UInt8($0) }),
        .tokenizerJSON([UInt8](#"{"model":{"vocab":{"é\"":1}}}"#.utf8)),
        .gguf(
            GGUFVocabulary(
                model: "gpt2", preTokenizer: "smollm", pieces: [[0x41], [0xFF, 0], []],
                scores: [0.1, -3, 1e30], types: [1, 3, 6], merges: ["a b", "Ġ é"],
                beginningToken: 0, endToken: 1, unknownToken: 2, endOfTurnTokens: [1],
                addsBeginning: false, addsEnd: true, addsSpacePrefix: false)),
        .gguf(GGUFVocabulary(model: "llama", pieces: [[0x41]])),
    ]

    @Test(arguments: vocabularies)
    func tokenizersSurviveTheMetadata(vocabulary: TokenizerAssets.Vocabulary) throws {
        let bare = TokenizerAssets(vocabulary: vocabulary)
        #expect(try TokenizerAssets(metadata: bare.metadata()) == bare)
        let full = TokenizerAssets(
            vocabulary: vocabulary, tokenizerConfig: ["a": .integer(1)],
            generationConfig: ["b": .null], specialTokensMap: ["c": .string("d")],
            addedTokens: ["e": .integer(2)], chatTemplate: "{{ x }}\n",
            configurationEndTokens: [2, 7])
        #expect(try TokenizerAssets(metadata: full.metadata()) == full)
    }

    @Test func metadataWithoutTokenizerHaveNone() throws {
        #expect(try TokenizerAssets(metadata: ["graft.format": "model.bin"]) == nil)
    }

    @Test(arguments: [
        (["graft.tokenizer.kind": "gguf"], "the metadata lack 'graft.tokenizer.vocabulary'"),
        (
            ["graft.tokenizer.kind": "x", "graft.tokenizer.vocabulary": ""],
            "metadata 'graft.tokenizer.kind' is 'x'; known are sentencepiece, tokenizer.json, gguf"
        ),
        (
            ["graft.tokenizer.kind": "sentencepiece", "graft.tokenizer.vocabulary": "A"],
            "metadata 'graft.tokenizer.vocabulary' is not base64"
        ),
        (
            ["graft.tokenizer.kind": "sentencepiece", "graft.tokenizer.vocabulary": "=AAA"],
            "metadata 'graft.tokenizer.vocabulary' is not base64"
        ),
        (
            ["graft.tokenizer.kind": "gguf", "graft.tokenizer.vocabulary": "{}"],
            "metadata 'graft.tokenizer.vocabulary' is not a vocabulary"
        ),
        (
            ["graft.tokenizer.kind": "gguf", "graft.tokenizer.vocabulary": "[]"],
            "metadata 'graft.tokenizer.vocabulary' is an array, not an object"
        ),
        (
            [
                "graft.tokenizer.kind": "tokenizer.json", "graft.tokenizer.vocabulary": "{}",
                "graft.tokenizer.end_tokens": "[1.5]",
            ], "metadata 'graft.tokenizer.end_tokens' is not a list of integers"
        ),
        (
            [
                "graft.tokenizer.kind": "tokenizer.json", "graft.tokenizer.vocabulary": "{}",
                "graft.tokenizer.config": "{",
            ],
            "metadata 'graft.tokenizer.config' is not JSON: the text ends too early, at byte 1"
        ),
    ])
    func damagedTokenizersAreNamed(metadata: [String: String], description: String) {
        expectFailure("PATH: " + description, in: "model.bin") {
            _ = try TokenizerAssets(metadata: metadata)
        }
    }

    @Test func packedBasesAreRecognised() throws {
        let assets = TokenizerAssets(vocabulary: Self.vocabularies[5])
        var metadata = assets.metadata()
        metadata[PackedFormat.formatKey] = PackedFormat.modelFormat
        metadata[PackedFormat.versionKey] = PackedFormat.version
        metadata[PackedFormat.configurationKey] = #"{"hidden_size":4}"#
        let path = try write(metadata)
        let base = try BaseCheckpoint.open(path: path)
        #expect(base.kind == .packed)
        #expect(base.configuration == ["hidden_size": .integer(4)])
        #expect(base.tokenizer == assets)
    }

    @Test(arguments: [
        (
            ["graft.format": "lora"],
            "PATH: this is a Graft file of format 'lora', not a base model"
        ),
        (
            ["graft.format": "model.bin", "graft.version": "2"],
            "PATH: model.bin version 2 is not supported; write it again with `graft pack`"
        ),
        (
            ["graft.format": "model.bin", "graft.version": "1"],
            "PATH: the metadata lack 'graft.config'"
        ),
        (
            ["graft.format": "model.bin", "graft.version": "1", "graft.config": "["],
            "PATH: graft.config: not JSON: the text ends too early, at byte 1"
        ),
    ])
    func otherPackedFilesAreNamed(metadata: [String: String], description: String) throws {
        let path = try write(metadata)
        expectFailure(description, in: path) { _ = try BaseCheckpoint.open(path: path) }
    }

    private func write(_ metadata: [String: String]) throws -> String {
        let path = directory.place("m")
        try SafetensorsWriter(tensors: [], metadata: metadata).write(to: path, regions: [])
        return path
    }
}
