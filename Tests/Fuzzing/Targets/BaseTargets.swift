import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Tokenization
import Transformer

/// Opens a base, its tokenizer with it, and cuts a text.
struct BaseReader {
    let pool = WorkerPool(threadCount: 1)
    private let texts = [
        "A contract is 123 naïve 🎉\n\tx  y", "", "\u{0}é e\u{301} 中文 <s></s><|im_end|>",
        String(repeating: "a", count: 300) + " \u{202e}",
    ]

    func read(_ path: String) throws {
        let checkpoint = try BaseCheckpoint.open(path: path)
        try readTokenizer(checkpoint.tokenizer)
        _ = try BaseModel(checkpoint: checkpoint, pool: pool)
    }

    func readTokenizer(_ assets: TokenizerAssets?) throws {
        guard let assets else { return }
        let tokenizer = try TokenizerLoader.load(assets)
        for text in texts {
            let tokens = try tokenizer.encode(text, addingSpecialTokens: true)
            for token in tokens { _ = tokenizer.bytes(of: token) }
        }
        for token in [-1, 0, 1, tokenizer.tokenCount - 1, tokenizer.tokenCount, 1 << 40] {
            _ = tokenizer.bytes(of: token)
        }
    }
}

/// A base in a GGUF file, its vocabulary included.
struct GGUFTarget: FuzzTarget {
    static let name = "gguf"
    private let seeds: [[UInt8]]
    private let reader = BaseReader()

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        seeds = try [
            "models/gguf/tiny-llama-Q4_0.gguf", "models/gguf/tiny-llama-Q8_0.gguf",
            "models/gguf/tiny-qwen2-Q8_0.gguf",
        ].map { try checkout.bytes($0) }
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput(["base.gguf": seeds[index]])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var bytes = seeds[index]
        // Keys come first, and the table of tensors behind them.
        ByteMutations.mutate(&bytes, &random, head: random.oneIn(2) ? 1200 : 24_000)
        return FuzzInput(["base.gguf": bytes])
    }

    func read(_ directory: String) throws { try reader.read(directory + "/base.gguf") }
}

/// `config.json` and `generation_config.json` beside whole weights.
struct BaseConfigurationTarget: FuzzTarget {
    static let name = "config"
    private let seeds: [[String: [UInt8]]]
    private let mutations: JSONMutations
    private let reader = BaseReader()

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        seeds = try ["tiny-llama", "tiny-qwen2", "tiny-mistral"].map { name in
            [
                "config.json": try checkout.bytes("models/\(name)/config.json"),
                "model.safetensors": try checkout.bytes("models/\(name)/model.safetensors"),
            ]
        }
        let keys = seeds.reduce(into: Set<String>()) {
            $0.formUnion((try? JSONValue(parsing: $1["config.json"] ?? []))?.allKeys ?? [])
        }
        mutations = JSONMutations(
            keys: keys.sorted() + [
                "rope_scaling", "sliding_window", "use_sliding_window", "quantization_config",
                "max_window_layers", "layer_types", "factor", "type", "head_dim", "text_config",
            ])
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput(seeds[index])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var files = seeds[index]
        guard let value = try? JSONValue(parsing: files["config.json"] ?? []) else {
            return FuzzInput(files)
        }
        let file = random.oneIn(8) ? "generation_config.json" : "config.json"
        files[file] = mutations.mutatedText(value, &random)
        return FuzzInput(files)
    }

    func read(_ directory: String) throws { try reader.read(directory) }
}

/// A `model.bin` as `graft pack` writes it.
struct PackedModelTarget: FuzzTarget {
    static let name = "model-bin"
    private let seeds: [[UInt8]]
    private let reader = BaseReader()

    init(checkout: String) throws {
        let pool = WorkerPool(threadCount: 1)
        let folder = NSTemporaryDirectory() + "graft-fuzz-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        seeds = try [nil, Quantization.q8, .q4].map { quantization in
            let base = try BaseModel.open(
                path: checkout + "/models/tiny-llama", pool: pool, quantization: quantization)
            let path = folder + "/\(quantization.map { "\($0)" } ?? "plain").bin"
            try base.writePacked(to: path)
            return try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput(["model.bin": seeds[index]])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var seed = seeds[index]
        guard !random.oneIn(5), let parts = SafetensorsParts(seed) else {
            ByteMutations.mutate(&seed, &random, head: 16_000)
            return FuzzInput(["model.bin": seed])
        }
        // Its configuration is a text within the metadata.
        if random.oneIn(2), case .object(var header) = parts.header,
            var metadata = header["__metadata__"]?.objectValue
        {
            let keys = metadata.keys.filter {
                metadata[$0]?.stringValue?.hasPrefix("{") == true
            }
            if let key = keys.first, let text = metadata[key]?.stringValue,
                let value = try? JSONValue(parsing: text)
            {
                let changed = JSONMutations(keys: value.allKeys.sorted())
                    .mutatedText(value, &random)
                metadata[key] = .string(String(decoding: changed, as: UTF8.self))
                header["__metadata__"] = .object(metadata)
                return FuzzInput([
                    "model.bin": parts.joined(
                        header: Array(JSONValue.object(header).serialized().utf8))
                ])
            }
        }
        return FuzzInput(["model.bin": parts.mutant(JSONMutations(), &random)])
    }

    func read(_ directory: String) throws { try reader.read(directory + "/model.bin") }
}

/// `tokenizer.json` and the settings beside it.
struct TokenizerJSONTarget: FuzzTarget {
    static let name = "tokenizer-json"
    private let seeds: [JSONValue]
    private let mutations: JSONMutations
    private let reader = BaseReader()

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        let folder = "Tests/TokenizationTests/Fixtures"
        let files = try FileManager.default.subpathsOfDirectory(
            atPath: checkout.root + "/" + folder
        )
        .filter { $0.hasSuffix(".cases.json") && !$0.hasPrefix("sp-") }.sorted()
        .map { folder + "/" + $0.replacingOccurrences(of: ".cases.json", with: ".json") }
        var seeds: [JSONValue] = []
        for file in files + ["Tests/Goldens/tokenizers/added/tokenizer.json"] {
            let bytes = try checkout.bytes(file)
            if bytes.count < 1 << 20 { seeds.append(try JSONValue(parsing: bytes)) }
        }
        self.seeds = seeds
        // Vocabularies are no settings.
        let names = seeds.reduce(into: Set<String>()) { names, seed in
            guard case .object(var object) = seed else { return }
            if var model = object["model"]?.objectValue {
                model["vocab"] = nil
                model["merges"] = nil
                object["model"] = .object(model)
            }
            names.formUnion(JSONValue.object(object).allKeys)
        }
        mutations = JSONMutations(keys: names.sorted())
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput(["tokenizer.json": Array(seeds[index].serialized().utf8)])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        FuzzInput([
            "tokenizer.json": mutations.mutatedText(seeds[index], &random)
        ])
    }

    func read(_ directory: String) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory + "/tokenizer.json"))
        try reader.readTokenizer(TokenizerAssets(vocabulary: .tokenizerJSON([UInt8](bytes))))
    }
}

/// SentencePiece's `tokenizer.model`.
struct SentencePieceTarget: FuzzTarget {
    static let name = "sentencepiece"
    private let seeds: [[UInt8]]
    private let reader = BaseReader()

    init(checkout: String) throws {
        let checkout = Checkout(root: checkout)
        seeds = try [
            "models/tiny-llama/tokenizer.model", "Tests/TokenizationTests/Fixtures/sp-bpe.model",
            "Tests/TokenizationTests/Fixtures/sp-unigram.model",
        ].map { try checkout.bytes($0) }
    }

    var seedCount: Int { seeds.count }

    func seed(_ index: Int) -> FuzzInput {
        FuzzInput(["tokenizer.model": seeds[index]])
    }

    func mutant(of index: Int, _ random: inout SplitMix) -> FuzzInput {
        var bytes = seeds[index]
        if random.oneIn(3) {
            // The settings stand at the end.
            var tail = Array(bytes.suffix(600))
            ByteMutations.mutate(&tail, &random)
            bytes = bytes.dropLast(min(600, bytes.count)) + tail
        } else {
            ByteMutations.mutate(&bytes, &random)
        }
        return FuzzInput(["tokenizer.model": bytes])
    }

    func read(_ directory: String) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory + "/tokenizer.model"))
        try reader.readTokenizer(
            TokenizerAssets(vocabulary: .sentencePiece(modelBytes: [UInt8](bytes))))
    }
}
