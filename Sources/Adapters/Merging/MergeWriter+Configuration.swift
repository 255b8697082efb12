internal import Checkpoints
internal import Kernels
internal import StrictJSON
internal import Transformer

extension MergeWriter {
    /// `config.json` of the result: the base's, with the type of the weights, and with the head untied
    /// where it has a table of its own now.
    ///
    /// - Throws: `AdapterError.unwritable` where the base can't be described by such a file.
    func configurationText(_ path: String) throws(AdapterError) -> String {
        var configuration = checkpoint.configuration
        for name in ["rope_scaling", "rope_parameters"] {
            guard configuration[name]?.objectValue?["rope_type"] == .string("divisors") else {
                continue
            }
            throw .unwritable(
                path: path,
                reason: "the base's GGUF lists a divisor for each rotary frequency, which "
                    + "config.json can't: merge into the Hugging Face checkpoint instead")
        }
        configuration["vocab_size"] = .integer(Int64(plan.vocabularyCount))
        if plan.untiesHead { configuration["tie_word_embeddings"] = .bool(false) }
        let key = configuration["dtype"] == nil ? "torch_dtype" : "dtype"
        configuration[key] = .string(typeName)
        return JSONValue.object(configuration).serialized(pretty: true) + "\n"
    }

    /// PyTorch's name of the type that most weights have.
    private var typeName: String {
        switch options.weightType ?? base.weightType {
        case .f32: "float32"
        case .bf16: "bfloat16"
        case .f16, .q8_0, .q4_0, .q4_1: "float16"
        }
    }
}
