public import Checkpoints
internal import StrictJSON

extension TokenizerAssets {
    /// The same tokenizer in the form of a Hugging Face directory: a GGUF vocabulary becomes a
    /// `tokenizer.json` or a SentencePiece model with a `tokenizer_config.json`; others stay as
    /// they are.
    ///
    /// - Throws: what `TokenizerLoader.load(_:)` throws for the vocabulary.
    public func inHuggingFaceForm() throws(TokenizationError) -> TokenizerAssets {
        guard case .gguf(let source) = vocabulary else { return self }
        let tokenizer = try TokenizerLoader.load(self)
        var assets = self
        var config = JSONObject()
        for (key, token) in [
            ("bos_token", source.beginningToken), ("eos_token", source.endToken),
            ("unk_token", source.unknownToken), ("pad_token", source.paddingToken),
        ] {
            guard let token, source.pieces.indices.contains(token) else { continue }
            config[key] = .string(String(decoding: source.pieces[token], as: UTF8.self))
        }
        if source.model == "llama" {
            assets.vocabulary = .sentencePiece(modelBytes: try SentencePieceWriter.model(source))
            config["add_bos_token"] = .bool(source.addsBeginning ?? true)
            config["add_eos_token"] = .bool(source.addsEnd ?? false)
            config["tokenizer_class"] = .string("LlamaTokenizer")
        } else {
            let beginning = try tokenizer.encode("", addingSpecialTokens: true)
            assets.vocabulary = .tokenizerJSON(
                Array(
                    JSONValue.object(try source.tokenizerJSON(around: beginning)).serialized().utf8)
            )
            config["tokenizer_class"] = .string("PreTrainedTokenizerFast")
        }
        assets.tokenizerConfig = config
        var generation = assets.generationConfig ?? JSONObject()
        generation["eos_token_id"] = .array(
            tokenizer.endTokens.sorted().map { .integer(Int64($0)) })
        assets.generationConfig = generation
        return assets
    }
}

extension GGUFVocabulary {
    /// **Source**: the layout of `tokenizer.json` as the `tokenizers` library writes it.
    ///
    /// - Parameter special: what an empty text becomes: the tokens that go before every text.
    fileprivate func tokenizerJSON(
        around special: [Int]
    ) throws(TokenizationError) -> JSONObject {
        let known = try KnownPreTokenizers.named(preTokenizer ?? "default")
        var vocabulary = JSONObject()
        for (id, piece) in pieces.enumerated() {
            vocabulary[String(decoding: piece, as: UTF8.self)] = .integer(Int64(id))
        }
        return [
            "version": .string("1.0"),
            "added_tokens": .array(addedTokenEntries),
            "normalizer": known.normalizer == .none ? .null : .object(["type": .string("NFC")]),
            "pre_tokenizer": known.json,
            "post_processor": postProcessor(special),
            "decoder": KnownPreTokenizers.byteLevel(usesPattern: true),
            "model": .object([
                "type": .string("BPE"), "ignore_merges": .bool(known.ignoresMerges),
                "vocab": .object(vocabulary), "merges": .array(merges.map { .string($0) }),
            ]),
        ]
    }

    private var addedTokenEntries: [JSONValue] {
        zip(pieces, types).enumerated().compactMap { id, token -> JSONValue? in
            guard token.1 == 3 || token.1 == 4 else { return nil }
            return .object([
                "id": .integer(Int64(id)),
                "content": .string(String(decoding: token.0, as: UTF8.self)),
                "single_word": .bool(false), "lstrip": .bool(false), "rstrip": .bool(false),
                "normalized": .bool(false), "special": .bool(token.1 == 3),
            ])
        }
    }

    private func postProcessor(_ before: [Int]) -> JSONValue {
        guard !before.isEmpty else { return .null }
        var specials = JSONObject()
        var single: [JSONValue] = []
        for id in before {
            let spelling = JSONValue.string(String(decoding: pieces[id], as: UTF8.self))
            single.append(
                .object(["SpecialToken": .object(["id": spelling, "type_id": .integer(0)])]))
            specials[String(decoding: pieces[id], as: UTF8.self)] = .object([
                "id": spelling, "ids": .array([.integer(Int64(id))]), "tokens": .array([spelling]),
            ])
        }
        single.append(
            .object(["Sequence": .object(["id": .string("A"), "type_id": .integer(0)])]))
        let second = JSONValue.object([
            "Sequence": .object(["id": .string("B"), "type_id": .integer(1)])
        ])
        return .object([
            "type": .string("TemplateProcessing"), "single": .array(single),
            "pair": .array(single + [second]), "special_tokens": .object(specials),
        ])
    }
}

extension KnownPreTokenizers.Known {
    /// As `tokenizer.json` spells it out.
    fileprivate var json: JSONValue {
        var parts = steps.map(\.json)
        // Bytes are read where no step of GPT-2's does that.
        let readsBytes = steps.contains { if case .gpt2 = $0 { true } else { false } }
        if !readsBytes { parts.append(KnownPreTokenizers.byteLevel(usesPattern: false)) }
        if parts.count == 1 { return parts[0] }
        return .object(["type": .string("Sequence"), "pretokenizers": .array(parts)])
    }
}

extension KnownPreTokenizers.Step {
    fileprivate var json: JSONValue {
        switch self {
        case .gpt2: KnownPreTokenizers.byteLevel(usesPattern: true)
        case .singleDigits:
            .object(["type": .string("Digits"), "individual_digits": .bool(true)])
        case .split(let pattern):
            .object([
                "type": .string("Split"), "pattern": .object(["Regex": .string(pattern)]),
                "behavior": .string("Isolated"), "invert": .bool(false),
            ])
        }
    }
}

extension KnownPreTokenizers {
    fileprivate static func byteLevel(usesPattern: Bool) -> JSONValue {
        .object([
            "type": .string("ByteLevel"), "add_prefix_space": .bool(false),
            "trim_offsets": .bool(true), "use_regex": .bool(usesPattern),
        ])
    }
}
