internal import Checkpoints
package import StrictJSON

/// A family of decoders: from its `config.json` to a spec. One file each; nothing else knows its
/// names.
protocol Architecture: Sendable {
    /// What `model_type` may be.
    static var modelTypes: [String] { get }
    /// Keys of its configuration beyond those that most have, or with another meaning.
    static var keys: [KnownKey] { get }

    /// - Throws: `TransformerError.missingSetting`, `.invalidSetting`, `.unsupportedSetting`.
    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec
}

/// All that are served.
enum Architectures {
    static var all: [any Architecture.Type] {
        [
            Llama.self, Mistral.self, Qwen2.self, Qwen3.self, Gemma.self, Gemma2.self, Gemma3.self,
            Phi.self, Phi3.self, SmolLM3.self, OLMo2.self, Granite.self, StableLM.self, GPT2.self,
            GPTNeoX.self, Falcon.self, BLOOM.self, StarCoder2.self, Cohere.self, GLM4.self,
            Mixtral.self, Qwen2MoE.self, Qwen3MoE.self, GraniteMoE.self, GPTOSS.self,
        ]
    }

    static var modelTypes: [String] { all.flatMap { $0.modelTypes } }

    /// - Throws: `TransformerError.missingSetting`, `.unsupportedSetting` for a `model_type` that
    ///   isn't served.
    static func named(_ reader: SettingReader) throws(TransformerError) -> any Architecture.Type {
        guard let name = try reader.optionalText("model_type") else {
            throw .missingSetting("model_type", file: reader.file)
        }
        guard let architecture = all.first(where: { $0.modelTypes.contains(name) }) else {
            throw reader.unsupported(
                "model_type", name, supported: modelTypes.joined(separator: ", "))
        }
        return architecture
    }

    /// The keys of a configuration of this `model_type`; of none that is served: those that most
    /// have.
    static func keyTable(modelType: String?) -> KeyTable {
        let own = all.first { $0.modelTypes.contains(modelType ?? "") }?.keys ?? []
        return KeyTable(
            file: "config.json", keys: own + ConfigurationKeys.common)
    }
}

extension DecoderSpec {
    /// Reads a `config.json`.
    ///
    /// - Parameters:
    ///   - object: the file's object, as Hugging Face writes it.
    ///   - file: its name, for messages.
    /// - Throws: `TransformerError.missingSetting`, `.invalidSetting`, `.unsupportedSetting` or
    ///   `.refusedSetting`.
    package init(_ object: JSONObject, file: String) throws(TransformerError) {
        let reader = SettingReader(object: object, file: file)
        let keys = Architectures.keyTable(modelType: object["model_type"]?.stringValue)
        if let (name, value, entry) = keys.firstRefused(in: object) {
            throw .refusedSetting(
                name, value: reader.describe(value), reason: entry.note, file: file)
        }
        self = try Architectures.named(reader).spec(reader)
    }

    /// What a user should know of a `config.json` that is read.
    package static func warnings(_ object: JSONObject, file: String) -> [String] {
        let reader = SettingReader(object: object, file: file)
        let keys = Architectures.keyTable(modelType: object["model_type"]?.stringValue)
        var warnings = [keys.warning(aboutUnknown: object.keys, path: file)].compactMap(\.self)
        if let warning = try? RotarySpec.warning(reader) { warnings.append(warning) }
        if let count = try? RotarySpec.shortPositionCount(reader) {
            warnings.append(
                "\(file): the context is \(count) tokens, up to which the model has its short "
                    + "rotary factors")
        }
        return warnings
    }
}
