internal import StrictJSON

/// Adapters of Apple's MLX, which have file names of PEFT's and other contents: factors lie the
/// other way round, and `scale` stands in place of lora_alpha / r. They are known to be named.
///
/// **Source**: mlx-lm, `tuner/utils.py`.
enum MLXAdapter {
    /// What its weights are called.
    private static let tensorNames = ["adapters.safetensors", "adapters.npz"]
    /// Settings of its configurations that PEFT's don't have; older ones have the second or third
    /// only.
    private static let settings = ["fine_tune_type", "lora_parameters", "lora_layers"]

    /// - Parameter directory: with PEFT's configuration, with a slash at its end.
    /// - Throws: `AdapterError.notAnAdapter` where it is one of MLX's.
    static func refuse(directory: String, _ reader: FileReader) throws(AdapterError) {
        let file = directory + AdapterFile.configurationName
        let text = try reader.bytes(of: file, limit: AdapterConfiguration.byteCountLimit)
        let configuration = try AdapterConfiguration(parsing: text, file: file)
        try refuse(configuration)
        guard configuration.object["peft_type"] == nil,
            let tensors = try reader.first(of: tensorNames, in: directory)
        else { return }
        throw refusal(tensors)
    }

    /// - Throws: `AdapterError.notAnAdapter` for a configuration of MLX's.
    static func refuse(_ configuration: AdapterConfiguration) throws(AdapterError) {
        guard configuration.object["peft_type"] == nil,
            settings.contains(where: { configuration.object[$0] != nil })
        else { return }
        throw refusal(configuration.file)
    }

    private static func refusal(_ path: String) -> AdapterError {
        .notAnAdapter(
            path: path,
            found:
                "of an MLX adapter, whose factors lie the other way round and whose 'scale' stands "
                + "for lora_alpha / r")
    }
}
