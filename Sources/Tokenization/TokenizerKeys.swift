public import Checkpoints
import StrictJSON

/// What becomes of a key of a file beside a vocabulary.
public struct TokenizerKey: Sendable, Equatable {
    /// What is done with it.
    public enum Use: Sendable, Equatable {
        /// It decides what it says.
        case read
        /// It changes nothing here; why.
        case withoutEffect(String)
        /// It would change answers elsewhere and doesn't here, so that its value is named in a
        /// warning; why.
        case notApplied(String)
    }

    /// The file's name.
    public let file: String
    public let name: String
    public let use: Use
}

/// Every key of `tokenizer_config.json` and `special_tokens_map.json` that is known, and those of
/// `generation_config.json` that would change answers. Any other key is named in a warning.
public enum TokenizerKeys {
    private static let tokenizerConfig = "tokenizer_config.json"
    private static let specialTokensMap = "special_tokens_map.json"
    private static let generationConfig = "generation_config.json"

    /// All known keys, file by file.
    public static let known: [TokenizerKey] =
        entries(tokenizerConfig, tokenizerConfigKeys) + entries(specialTokensMap, specialTokenKeys)
        + entries(generationConfig, generationConfigKeys)

    /// The same as tables, for the documentation.
    public static let tables: [KeyTable] = [tokenizerConfig, specialTokensMap].map { file in
        KeyTable(
            file: file,
            keys: known.filter { $0.file == file }.map { key in
                switch key.use {
                case .read: .read(key.name, "text is read, or answers end, as it says")
                case .withoutEffect(let reason): .withoutEffect(key.name, reason)
                case .notApplied(let reason):
                    .withoutEffect(key.name, "not applied, which a warning says: \(reason)")
                }
            })
    }

    /// How many unknown keys of a file are spelled out.
    private static let namedCount = 8

    private static func entries(
        _ file: String, _ groups: [(TokenizerKey.Use, [String])]
    ) -> [TokenizerKey] {
        groups.flatMap { use, names in names.map { TokenizerKey(file: file, name: $0, use: use) } }
    }

    private static let specialTokenKeys: [(TokenizerKey.Use, [String])] = [
        (
            .read,
            [
                "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                "mask_token", "additional_special_tokens", "extra_special_tokens",
            ]
        )
    ]

    private static let tokenizerConfigKeys: [(TokenizerKey.Use, [String])] =
        specialTokenKeys + [
            (
                .read,
                [
                    "added_tokens_decoder", "chat_template", "split_special_tokens",
                    "add_bos_token",
                    "add_eos_token", "legacy",
                ]
            ),
            (
                .withoutEffect("it says which class or which files made the tokenizer"),
                [
                    "tokenizer_class", "processor_class", "auto_map", "name_or_path",
                    "special_tokens_map_file", "tokenizer_file", "vocab_file", "merges_file",
                    "init_inputs", "backend", "is_local", "local_files_only", "from_slow",
                    "use_fast", "device_map", "trust_remote_code", "_commit_hash",
                    "transformers_version",
                    "image_processor_type", "tokenizer_type",
                ]
            ),
            (
                .withoutEffect("requests are neither padded nor cut to a length"),
                [
                    "padding", "padding_side", "pad_to_multiple_of", "pad_token_type_id",
                    "max_length", "model_max_length", "truncation", "truncation_side",
                    "truncation_strategy", "stride", "max_len", "model_input_names",
                    "token_type_ids_pattern",
                ]
            ),
            (
                .withoutEffect("the vocabulary's file has the step that it names"),
                ["add_prefix_space", "trim_offsets", "normalization", "split_by_punct"]
            ),
            (
                .withoutEffect(
                    "text is decoded as `tokenizers` decodes it, which has no such step"),
                [
                    "clean_up_tokenization_spaces", "spaces_between_special_tokens",
                    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                ]
            ),
            (
                .withoutEffect("the chat template has all that it writes"),
                ["use_default_system_prompt", "response_schema", "response_template"]
            ),
            (
                .withoutEffect("it belongs to pictures or sounds, which no request has"),
                [
                    "image_token", "video_token", "audio_token", "vision_bos_token",
                    "vision_eos_token", "boi_token", "eoi_token", "image_token_id",
                    "boi_token_id", "eoi_token_id", "model_specific_special_tokens",
                ]
            ),
            (
                .withoutEffect("it only says how errors in text were handled in Python"), ["errors"]
            ),
            (
                .notApplied("transformers writes text in small letters first where it is true"),
                ["do_lower_case"]
            ),
            (
                .notApplied("transformers takes another pattern than the file's where it is true"),
                ["fix_mistral_regex"]
            ),
            (.notApplied("SentencePiece samples pieces with some of them"), ["sp_model_kwargs"]),
        ]

    /// Of the rest `GenerationKeys` says what becomes.
    private static let generationConfigKeys: [(TokenizerKey.Use, [String])] = [
        (
            .notApplied("transformers changes scores or forces tokens with it"),
            [
                "bad_words_ids", "force_words_ids", "constraints", "forced_bos_token_id",
                "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
                "forced_decoder_ids", "sequence_bias", "no_repeat_ngram_size",
                "encoder_repetition_penalty", "encoder_no_repeat_ngram_size",
                "exponential_decay_length_penalty", "guidance_scale", "watermarking_config",
                "token_healing", "dola_layers", "top_h",
            ]
        )
    ]

    private static let uses: [String: [String: TokenizerKey.Use]] = Dictionary(
        grouping: known, by: \.file
    ).mapValues { keys in
        Dictionary(keys.map { ($0.name, $0.use) }, uniquingKeysWith: { first, _ in first })
    }

    /// A sentence for each file with keys that are not known, and for each key with a value that
    /// isn't applied.
    static func warnings(_ assets: TokenizerAssets) -> [String] {
        [
            (tokenizerConfig, assets.tokenizerConfig),
            (specialTokensMap, assets.specialTokensMap),
            (generationConfig, assets.generationConfig),
        ].flatMap { file, object in object.map { warnings(file, $0) } ?? [] }
    }

    private static func warnings(_ file: String, _ object: JSONObject) -> [String] {
        var warnings: [String] = []
        var unknown: [String] = []
        for (key, value) in object where !isNothing(value) {
            switch uses[file]?[key] {
            case .read, .withoutEffect: break
            case .notApplied(let reason):
                warnings.append("\(file): '\(key)' is not applied: \(reason)")
            // Unknown ones are named where the base's own files are read.
            case nil where file == generationConfig: break
            case nil: unknown.append(key)
            }
        }
        guard !unknown.isEmpty else { return warnings }
        let named = unknown.prefix(namedCount).map { "'\(shortened($0))'" }.joined(separator: ", ")
        let rest =
            unknown.count > namedCount ? " and \(unknown.count - namedCount) more keys" : ""
        return warnings + [
            "\(file): \(named)\(rest): not known here, so without effect; what the model was trained "
                + "with may differ"
        ]
    }

    /// Whether a value asks for nothing.
    private static func isNothing(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .integer(0), .number(0): true
        case .array(let elements): elements.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }

    private static func shortened(_ key: String) -> String {
        let head = key.unicodeScalars.prefix(64)
        return head.count < key.unicodeScalars.count
            ? String(String.UnicodeScalarView(head)) + "…" : key
    }
}
