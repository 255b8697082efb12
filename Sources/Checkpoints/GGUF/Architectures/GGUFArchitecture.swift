internal import StrictJSON

/// A family of decoders as GGUF has it: from a file's keys to `config.json`. Nothing else knows its
/// names.
///
/// **Source**: llama.cpp's converter for what is stored, and its loader for what is meant where a
/// key is absent.
protocol GGUFArchitecture: Sendable {
    /// `general.architecture`.
    static var name: String { get }
    /// What `model_type` may be in `config.json`; the first is what a file becomes, unless
    /// `fill` says another.
    static var modelTypes: [String] { get }
    /// Hugging Face's class.
    static var className: String { get }
    static var layout: StoredLayout { get }
    /// Keys beyond those of all, or with another meaning.
    static var keys: [KnownKey] { get }

    /// - Parameter has: whether the file has a tensor of this name.
    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames

    /// Writes the settings that its `config.json` has.
    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError)
}

extension GGUFArchitecture {
    static var layout: StoredLayout { .gguf }
    static var keys: [KnownKey] { [] }
    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames { .llama }
}

/// All that can be a base.
enum GGUFArchitectures {
    static let all: [any GGUFArchitecture.Type] = [
        GGUFLlama.self, GGUFQwen2.self, GGUFQwen3.self, GGUFGemma.self, GGUFGemma2.self,
        GGUFGemma3.self, GGUFPhi2.self, GGUFPhi3.self, GGUFSmolLM3.self, GGUFOLMo2.self,
        GGUFGranite.self, GGUFStableLM.self, GGUFGPT2.self, GGUFGPTNeoX.self, GGUFFalcon.self,
        GGUFBLOOM.self, GGUFStarCoder2.self, GGUFCommandR.self, GGUFGLM4.self, GGUFChatGLM.self,
    ]

    static var names: [String] { all.map { $0.name } }

    static func named(_ name: String) -> (any GGUFArchitecture.Type)? {
        all.first { $0.name == name }
    }

    static func of(modelType: String) -> (any GGUFArchitecture.Type)? {
        all.first { $0.modelTypes.contains(modelType) }
    }
}
