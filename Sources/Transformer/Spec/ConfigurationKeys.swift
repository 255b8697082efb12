public import Checkpoints
internal import StrictJSON

/// The keys of `config.json`.
///
/// **Source**: `LlamaConfig`, `MistralConfig` and `Qwen2Config` of transformers 5, and what older
/// releases and other tools write beside them.
public enum ConfigurationKeys {
    private static let training = "of training"
    private static let running = "how transformers runs, not what it answers"
    private static let classifying = "of classifiers"
    private static let quantised =
        "weights of this kind aren't read: take the unquantised checkpoint, or a GGUF file"
    private static let generating =
        "transformers takes it from generation_config.json, and Graft from requests"
    private static let otherModels = "other architectures have it"

    /// Those that most architectures have, and what each has of its own.
    public static let tables =
        [KeyTable(file: "config.json", keys: common)]
        + Architectures.all.filter { !$0.keys.isEmpty }.map { architecture in
            KeyTable(
                file: "config.json of " + architecture.modelTypes.joined(separator: " and "),
                keys: architecture.keys)
        }

    /// Those that most architectures have.
    static let common = shape + attention + refused + tokens + ineffective

    private static let shape: [KnownKey] = [
        .read("model_type", "which model it is"),
        .read("vocab_size", "tokens"),
        .read("hidden_size", "hidden size"),
        .read("intermediate_size", "width of the feed-forward part"),
        .read("num_hidden_layers", "layers"),
        .read("num_attention_heads", "query heads"),
        .read(
            "num_key_value_heads",
            "heads of keys and values; where absent 8 of Mistral, 32 of Qwen2, of Llama as many as query heads"
        ),
        .read("head_dim", "size of a head; hidden size by query heads where absent"),
        .read("rms_norm_eps", "the norms' epsilon"),
        .read("hidden_act", "silu, or its other name swish"),
        .read("max_position_embeddings", "positions; the family's default where absent"),
        .read("tie_word_embeddings", "one table for embedding and head, unless the file has two"),
        .read("attention_bias", "of Llama; the other families have what they have"),
        .read("mlp_bias", "of Llama; the other families have none"),
    ]

    private static let attention: [KnownKey] = [
        .read("rope_theta", "theta, where the rotary settings have none; 10,000 where absent"),
        .read("rope_scaling", "rotary settings; they win over rope_parameters, as in transformers"),
        .read("rope_parameters", "rotary settings, with theta"),
        .read(
            "original_max_position_embeddings",
            "of Llama 3's rotary scaling, where it wins over that among the settings"),
        .read(
            "sliding_window",
            "tokens over which a layer with a window attends; Mistral's is 4,096 where absent"
        ),
        .read("use_sliding_window", "of Qwen2, where it is off unless set; others ignore it"),
        .read("max_window_layers", "of Qwen2: the layers from here on have the window; 28"),
        .read("layer_types", "of Qwen2: which layers have the window; others ignore it"),
    ]

    private static let refused: [KnownKey] = [
        .refused("quantization_config", quantised),
        .refused("compression_config", quantised),
        .refused("quantization", quantised),
        .refused(
            "text_config",
            "a model of several parts: save its language model by itself, with transformers' "
                + "save_pretrained"),
        .refused("per_layer_config", "layers that differ from each other aren't served yet"),
        .refused(
            "partial_rotary_factor", unless: [.integer(1)],
            "this architecture turns whole heads"),
        .refused("is_encoder_decoder", unless: [.bool(false)], otherModels),
        .refused(
            "transformers_weights",
            unless: [.string("model.safetensors"), .string("model.safetensors.index.json")],
            "it names another file of weights: give that file as the base"),
    ]

    private static let tokens: [KnownKey] = [
        .read("eos_token_id", "ends an answer"),
        .withoutEffect("bos_token_id", "the tokenizer's own files name it"),
        .withoutEffect("pad_token_id", "rows of a batch aren't padded"),
        .withoutEffect("unk_token_id", "the tokenizer's own files name it"),
        .withoutEffect("sep_token_id", "the tokenizer's own files name it"),
        .withoutEffect("decoder_start_token_id", "of encoder-decoders"),
        .withoutEffect("tokenizer_class", "the tokenizer's own files say what it is"),
    ]

    private static let ineffective: [KnownKey] =
        [
            .withoutEffect("architectures", "model_type says which model it is"),
            .withoutEffect(
                "auto_map", "a repository's own code, which transformers runs only when told to"),
            .withoutEffect("dtype", "each tensor keeps its type"),
            .withoutEffect("torch_dtype", "each tensor keeps its type"),
            .withoutEffect("_name_or_path", "where it came from"),
            .withoutEffect("name_or_path", "where it came from"),
            .withoutEffect("_commit_hash", "where it came from"),
            .withoutEffect("transformers_version", "of the program that wrote the file"),
            .withoutEffect("unsloth_*", "of the program that wrote the file"),
            .withoutEffect("pretraining_tp", "cuts products in parts that add up to the same"),
            .withoutEffect("chunk_size_feed_forward", "cuts rows in parts; each is the same"),
        ]
        + [
            "initializer_range", "attention_dropout", "hidden_dropout", "hidden_dropout_prob",
            "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop", "attn_pdrop",
            "residual_dropout", "classifier_dropout", "router_aux_loss_coef", "pruned_heads",
            "gradient_checkpointing",
        ].map { .withoutEffect($0, training) }
        + [
            "use_cache", "output_attentions", "output_hidden_states", "return_dict", "torchscript",
            "use_bfloat16", "attn_implementation", "_attn_implementation*",
            "_flash_attn_2_enabled", "experts_implementation", "tf_legacy_loss",
            "cache_implementation",
            "tie_encoder_decoder", "cross_attention_hidden_size", "add_cross_attention",
            "is_decoder", "pretrained_config",
        ].map { .withoutEffect($0, running) }
        + [
            "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
            "task_specific_params",
        ].map { .withoutEffect($0, classifying) }
        + [
            "max_length", "min_length", "do_sample", "early_stopping", "num_beams",
            "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
            "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
            "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
            "output_scores", "return_dict_in_generate", "forced_bos_token_id",
            "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
            "suppress_tokens", "begin_suppress_tokens", "prefix",
        ].map { .withoutEffect($0, generating) }
}
