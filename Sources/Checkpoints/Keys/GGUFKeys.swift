internal import StrictJSON

/// The keys of a base in a GGUF file. `{arch}` stands for its `general.architecture`.
///
/// **Source**: the GGUF specification; what llama.cpp's loader makes of them.
public enum GGUFKeys {
    private static let description = "describes the file; no number depends on it"
    private static let otherModels = "other architectures have it"

    private static let common = general + shape + rotary + others + parts + text

    public static let table = KeyTable(file: "GGUF", keys: common)

    /// Those of all architectures, and what each has of its own.
    public static let tables =
        [table]
        + GGUFArchitectures.all.filter { !$0.keys.isEmpty }.map { architecture in
            KeyTable(file: "GGUF of " + architecture.name, keys: architecture.keys)
        }

    /// The keys of a file of this architecture.
    static func table(of architecture: any GGUFArchitecture.Type) -> KeyTable {
        KeyTable(file: "GGUF", keys: architecture.keys + common)
    }

    /// Of architectures that have a window in all layers or none.
    static let window = KnownKey.read(
        "{arch}.attention.sliding_window", "tokens that every layer sees; 0 is all")

    private static let general: [KnownKey] =
        [
            .read("general.architecture", "which model it is"),
            .read("general.alignment", "where tensors begin"),
            .refused(
                "general.type", unless: [.string("model")],
                "the file holds something else than a base"),
            .withoutEffect("general.file_type", "each tensor says its own type"),
            .withoutEffect("general.quantization_version", "GGUF files have version 2 alone"),
            .withoutEffect("general.sampling.*", "a request says how to sample"),
        ]
        + [
            "name", "author", "version", "organization", "finetune", "basename", "description",
            "quantized_by", "size_label", "license", "license.*", "url", "doi", "uuid", "repo_url",
            "source.*", "base_model.*", "dataset.*", "datasets", "tags", "languages",
            "parameter_count",
        ].map { .withoutEffect("general.\($0)", description) }

    private static let shape: [KnownKey] = [
        .read("{arch}.block_count", "layers"),
        .read("{arch}.embedding_length", "hidden size"),
        .read("{arch}.feed_forward_length", "width of the feed-forward part"),
        .read("{arch}.context_length", "positions"),
        .read("{arch}.vocab_size", "tokens, where the embedding has no shape"),
        .read("{arch}.attention.head_count", "query heads"),
        .read("{arch}.attention.head_count_kv", "heads of keys and values"),
        .read("{arch}.attention.key_length", "size of a head"),
        .read("{arch}.attention.value_length", "must be that of keys"),
        .read("{arch}.attention.layer_norm_rms_epsilon", "the epsilon of RMS norms"),
        .read("{arch}.attention.layer_norm_epsilon", "the epsilon of layer norms"),
        .refused(
            "{arch}.attention.sliding_window", unless: [.integer(0)],
            "this architecture has no window"),
        .refused("{arch}.attention.causal", unless: [.bool(true)], otherModels),
        .refused("{arch}.attention.clamp_kqv", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.max_alibi_bias", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.scale", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.output_scale", unless: [.integer(0), .integer(1)], otherModels),
        .refused("{arch}.attention.sliding_window_pattern", otherModels),
        .refused("{arch}.attention.shared_kv_layers", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.temperature_*", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.*_lora_rank", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.*_mla", unless: [.integer(0)], otherModels),
        .refused("{arch}.attention.indexer.*", unless: [.integer(0)], otherModels),
    ]

    private static let rotary: [KnownKey] = [
        .read(
            "{arch}.rope.dimension_count",
            "values of a head that positions turn; in most architectures it must be all"),
        .read("{arch}.rope.freq_base", "theta; 10,000 where absent"),
        .refused("{arch}.rope.freq_base_swa", otherModels),
        .read("{arch}.rope.scaling.type", "linear where absent; yarn; none turns the factor off"),
        .read("{arch}.rope.scaling.factor", "divides positions; 0 is none"),
        .read("{arch}.rope.scale_linear", "the older name of the factor, where that is absent"),
        .read(
            "{arch}.rope.scaling.attn_factor", "factor on cosines and sines of YaRN and LongRoPE"),
        .refused("{arch}.rope.scaling.alpha", unless: [.integer(0)], otherModels),
        .read(
            "{arch}.rope.scaling.original_context_length",
            "positions before YaRN or LongRoPE; where factors are two tables, it bounds the context"
        ),
        .read("{arch}.rope.scaling.yarn_beta_fast", "turns within them that stay; 32"),
        .read("{arch}.rope.scaling.yarn_beta_slow", "turns below which all is scaled; 1"),
        .read(
            "{arch}.rope.scaling.yarn_attn_factor",
            "factor on cosines and sines, instead of that of the scaling"),
        .refused(
            "{arch}.rope.scaling.yarn_ext_factor", unless: [.integer(1), .integer(-1)],
            "YaRN in part isn't served"),
        .refused(
            "{arch}.rope.scaling.yarn_log_multiplier", unless: [.integer(0)], otherModels),
        .withoutEffect("{arch}.rope.scaling.finetuned", "a note of how it was trained"),
        .refused("{arch}.rope.dimension_sections", otherModels),
    ]

    private static let others: [KnownKey] = [
        .refused("{arch}.expert_count", unless: [.integer(0)], "experts are not served yet"),
        .withoutEffect("{arch}.expert_*", "of experts, which expert_count counts"),
        .refused("{arch}.use_parallel_residual", unless: [.bool(false)], otherModels),
        .refused("{arch}.logit_scale", unless: [.integer(0), .integer(1)], otherModels),
        .refused("{arch}.residual_scale", unless: [.integer(0), .integer(1)], otherModels),
        .refused("{arch}.embedding_scale", unless: [.integer(0), .integer(1)], otherModels),
        .refused("{arch}.attn_logit_softcapping", unless: [.integer(0)], otherModels),
        .refused("{arch}.final_logit_softcapping", unless: [.integer(0)], otherModels),
        .refused("{arch}.leading_dense_block_count", unless: [.integer(0)], otherModels),
        .refused("{arch}.interleave_moe_layer_step", unless: [.integer(0)], otherModels),
        .refused("{arch}.nextn_predict_layers", unless: [.integer(0)], otherModels),
        .refused("{arch}.full_attention_interval", unless: [.integer(0)], otherModels),
        .withoutEffect(
            "{arch}.tensor_data_layout", "the architecture tells the order of rows, as in llama.cpp"
        ),
        .withoutEffect("{arch}.pooling_type", "of embeddings, which are not made"),
        .withoutEffect("{arch}.decoder_start_token_id", "of encoder-decoders"),
        .refused("adapter.*", "an adapter is loaded with --adapter"),
        .refused("clip.*", "a part of a model for pictures or sound"),
        .withoutEffect("quantize.imatrix.*", "how weights were rounded"),
        .withoutEffect("imatrix.*", "how weights were rounded"),
        .withoutEffect("mradermacher.*", description),
        .withoutEffect("training.*", description),
    ]

    private static let parts: [KnownKey] = [
        .read("split.count", "parts of the model; 1 or 0: it is whole"),
        .read("split.no", "which of the parts, from 0 on"),
        .read("split.tensors.count", "tensors of all parts"),
    ]

    private static let text: [KnownKey] = [
        .read("tokenizer.*", "the vocabulary; its keys have a table of their own")
    ]

    /// The key as the table has it: `llama.block_count` → `{arch}.block_count`.
    static func general(_ key: String, architecture: String) -> String {
        key.hasPrefix(architecture + ".")
            ? "{arch}" + key.dropFirst(architecture.count) : key
    }
}
