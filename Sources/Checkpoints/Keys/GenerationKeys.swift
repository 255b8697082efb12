/// The keys of `generation_config.json`.
///
/// **Source**: `GenerationConfig` of transformers 5.
public enum GenerationKeys {
    private static let sampling = "a request says how to sample; what it leaves out is documented"
    private static let searching = "answers are sampled token by token, without beams or assistants"
    private static let running = "how transformers runs, not what it answers"

    public static let table = KeyTable(
        file: "generation_config.json",
        keys: [.read("eos_token_id", "ends an answer")]
            + [
                "do_sample", "temperature", "top_p", "top_k", "top_h", "min_p", "typical_p",
                "epsilon_cutoff", "eta_cutoff", "repetition_penalty", "no_repeat_ngram_size",
                "encoder_repetition_penalty", "encoder_no_repeat_ngram_size", "bad_words_ids",
                "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id",
                "forced_eos_token_id", "force_words_ids", "exponential_decay_length_penalty",
                "remove_invalid_values", "renormalize_logits", "guidance_scale",
                "watermarking_config", "max_length", "max_new_tokens", "min_length",
                "min_new_tokens", "max_time", "stop_strings", "num_return_sequences",
                "token_healing",
            ].map { .withoutEffect($0, sampling) }
            + [
                "num_beams", "num_beam_groups", "diversity_penalty", "length_penalty",
                "early_stopping", "penalty_alpha", "constraints", "dola_layers", "low_memory",
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
