// What adapters need of a GGUF file beside its tensors.
extension GGUFFile {
    /// The number that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func number(_ key: String) throws(CheckpointError) -> Double? {
        try values.number(key)
    }

    /// The text that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func text(_ key: String) throws(CheckpointError) -> String? {
        try values.text(key)
    }

    /// The whole number from 0 on that a key holds; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func count(_ key: String) throws(CheckpointError) -> Int? {
        try values.count(key)
    }

    /// All keys, sorted.
    package var keys: [String] { values.keys }

    /// A value as messages show it; nil where there is none.
    package func shownValue(_ key: String) -> String? { values.shown(key) }

    /// Whole numbers from 0 on that a key holds in an array of 32-bit integers; nil where absent.
    ///
    /// - Throws: `CheckpointError.malformed` where the value is something else.
    package func counts(_ key: String) throws(CheckpointError) -> [Int]? {
        try values.unsignedIntegers(key)?.map(Int.init)
    }

    /// Whether llama.cpp reorders the rows of Q and K of the file's architecture; nil where that
    /// can't be a base.
    package var permutesQueryKeyRows: Bool? {
        architecture.flatMap(GGUFConfiguration.Architecture.init)?.permutesQueryKeyRows
    }

    /// The architectures that can be a base, as GGUF names them.
    package static var baseArchitectures: [String] {
        GGUFConfiguration.Architecture.allCases.map(\.rawValue)
    }

    /// Hugging Face's name of a tensor, `model.layers.3.self_attn.q_proj.weight` for
    /// `blk.3.attn_q.weight`; the same name where the family has no such tensor.
    package static func huggingFaceName(of name: String) -> String {
        GGUFTensorNames.huggingFaceName(of: name)
    }

    /// GGUF's name of a tensor; nil where the family has no such tensor.
    package static func storedName(of name: String) -> String? {
        GGUFTensorNames.storedName(of: name)
    }
}
