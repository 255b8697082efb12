/// The keys of `generation_config.json`.
///
/// **Source**: `GenerationConfig` of transformers 5.
public enum GenerationKeys {
    private static let sampling = "a request says how to sample; what it leaves out is documented"
    private static let scores =
        "not applied, which a warning says: transformers changes scores or forces tokens with it"
    private static let searching = "answers are sampled token by token, without beams or assistants"
    private static let running = "how transformers runs, not what it answers"

    public static let table = KeyTable(
        file: "generation_config.json",
        keys: [.read("eos_token_id", "ends an answer")]
            + [
                "do_sample", "temperature", "top_p", "top_k", "min_p", "typical_p",
                "epsilon_cutoff", "eta_cutoff", "repetition_penalty", "remove_invalid_values",
                "renormalize_logits", "max_length", "max_new_tokens", "min_length",
                "min_new_tokens", "max_time", "stop_strings", "num_return_sequences",
            ].map { .withoutEffect($0, sampling) }
            + [
                "bad_words_ids", "force_words_ids", "constraints", "forced_bos_token_id",
                "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
                "forced_decoder_ids", "sequence_bias", "no_repeat_ngram_size",
                "encoder_repetition_penalty", "encoder_no_repeat_ngram_size",
                "exponential_decay_length_penalty", "guidance_scale", "watermarking_config",
                "token_healing", "dola_layers", "top_h",
            ].map { .withoutEffect($0, scores) }
            + [
                "num_beams", "num_beam_groups", "diversity_penalty", "length_penalty",
                "early_stopping", "penalty_alpha", "low_memory",
                "is_assistant", "num_assistant_tokens*", "assistant_*", "target_lookbehind",
                "prompt_lookup_num_tokens", "max_matching_ngram_size", "speculation_type",
                "use_mtp",
            ].map { .withoutEffect($0, searching) }
            + [
                "use_cache", "cache_implementation", "cache_config", "return_legacy_cache",
                "prefill_chunk_size", "compile_config", "disable_compile", "max_cache_len",
                "continuous_batching_config", "output_attentions", "output_hidden_states",
                "output_scores", "output_logits", "return_dict_in_generate", "trust_remote_code",
            ].map { .withoutEffect($0, running) }
            + [
                .withoutEffect("bos_token_id", "the tokenizer's own files name it"),
                .withoutEffect("pad_token_id", "rows of a batch aren't padded"),
                .withoutEffect("decoder_start_token_id", "of encoder-decoders"),
                .withoutEffect("transformers_version", "of the program that wrote the file"),
                .withoutEffect("_from_model_config", "a note of the program that wrote the file"),
                .withoutEffect("chat_format", "of remote code; the chat template says it"),
            ])
}
