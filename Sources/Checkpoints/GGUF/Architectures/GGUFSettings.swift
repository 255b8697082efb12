internal import StrictJSON

/// A `config.json` in the making, and the keys that it is made from.
struct GGUFSettings {
    /// The keys of `config.json` where an architecture has its own; nil: none.
    struct Names {
        var hiddenSize = "hidden_size"
        var width: String? = "intermediate_size"
        var layerCount = "num_hidden_layers"
        var headCount = "num_attention_heads"
        var keyValueHeadCount: String? = "num_key_value_heads"
        var headDimension: String? = "head_dim"
        var positionCount = "max_position_embeddings"
    }

    let file: GGUFFile
    let architecture: String
    var object: JSONObject = [:]

    subscript(name: String) -> JSONValue? {
        get { object[name] }
        set { object[name] = newValue }
    }

    /// Sizes, vocabulary, special tokens and whether the head is a table of its own.
    mutating func addSizes(_ names: Names = Names()) throws(CheckpointError) {
        object[names.hiddenSize] = try required("embedding_length")
        if let width = names.width { object[width] = try required("feed_forward_length") }
        object[names.layerCount] = try required("block_count")
        let headCount = try required("attention.head_count")
        object[names.headCount] = headCount
        if let name = names.keyValueHeadCount {
            object[name] = try integer("attention.head_count_kv") ?? headCount
        }
        if let name = names.headDimension {
            object[name] = try integer("attention.key_length")
        }
        try checkHeads(canBeStated: names.headDimension != nil)
        object[names.positionCount] = try required("context_length")
        object["vocab_size"] = try vocabularyCount()
        object["tie_word_embeddings"] = .bool(!has(GGUFTensorNames.head))
        object["bos_token_id"] = try token("bos")
        object["eos_token_id"] = try token("eos")
    }

    /// The epsilon of RMS norms.
    mutating func addRMSEpsilon() throws(CheckpointError) {
        object["rms_norm_eps"] = .number(try requiredNumber("attention.layer_norm_rms_epsilon"))
    }

    /// The epsilon of layer norms.
    mutating func addEpsilon(_ name: String) throws(CheckpointError) {
        object[name] = .number(try requiredNumber("attention.layer_norm_epsilon"))
    }

    /// A window in every layer; null is none.
    mutating func addWindow() throws(CheckpointError) {
        object["sliding_window"] = try window().map { .integer(Int64($0)) } ?? .null
    }

    /// Nil where there is none, which 0 says as well.
    func window() throws(CheckpointError) -> Int? {
        let window = try count("attention.sliding_window")
        return window == 0 ? nil : window
    }

    /// Which layers have the window: by a number n all but every n-th, or one by one.
    ///
    /// - Parameter pattern: n where the file doesn't say.
    func windowedLayers(pattern: Int) throws(CheckpointError) -> [Bool] {
        let layerCount = try count("block_count") ?? 0
        let key = full("attention.sliding_window_pattern")
        if let flags = try file.values.flags(key) {
            guard flags.count == layerCount else {
                throw malformed(
                    "key '\(key)' has \(flags.count) values, and the model \(layerCount) layers")
            }
            return flags
        }
        let pattern = try count("attention.sliding_window_pattern") ?? pattern
        return (0..<layerCount).map { pattern == 0 || $0 % pattern < pattern - 1 }
    }

    /// `layer_types` of such layers.
    static func layerTypes(_ windowed: [Bool]) -> JSONValue {
        .array(windowed.map { .string($0 ? "sliding_attention" : "full_attention") })
    }

    /// Hidden size by query heads unless the file says.
    func headDimension() throws(CheckpointError) -> Int {
        if let stated = try count("attention.key_length") { return stated }
        let headCount = try count("attention.head_count") ?? 1
        return (try count("embedding_length") ?? 0) / max(1, headCount)
    }

    /// Rows of queries, of keys and of values.
    func projectionRowCounts() throws(CheckpointError) -> [Int] {
        let headCount = try count("attention.head_count") ?? 0
        let keyValueHeadCount = try count("attention.head_count_kv") ?? headCount
        let dimension = try headDimension()
        return [headCount, keyValueHeadCount, keyValueHeadCount].map { $0 * dimension }
    }

    private func checkHeads(canBeStated: Bool) throws(CheckpointError) {
        let dimension = try headDimension()
        if let value = try count("attention.value_length"), value != dimension {
            throw malformed(
                "key '\(full("attention.value_length"))' is \(value), and a head has \(dimension): "
                    + "values of another size than keys aren't served yet")
        }
        guard !canBeStated, let stated = try count("attention.key_length"),
            let size = try count("embedding_length"),
            let headCount = try count("attention.head_count"), stated * headCount != size
        else { return }
        throw malformed(
            "key '\(full("attention.key_length"))' is \(stated), and \(headCount) heads of the "
                + "hidden size \(size) have another")
    }

    private func vocabularyCount() throws(CheckpointError) -> JSONValue {
        if let shape = shape(GGUFTensorNames.embedding), shape.count == 2 {
            return .integer(Int64(shape[0]))
        }
        return try required("vocab_size")
    }

    private func token(_ name: String) throws(CheckpointError) -> JSONValue? {
        let id = try file.values.count("tokenizer.ggml.\(name)_token_id")
        // Writers store -1 as an unsigned number for "none".
        return id.flatMap { $0 == Int(UInt32.max) ? nil : .integer(Int64($0)) }
    }

    func has(_ tensor: String) -> Bool { file.storedType(of: tensor) != nil }

    /// Whether queries have a bias, whatever tensor it lies in.
    var hasProjectionBias: Bool { has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias") }

    func shape(_ tensor: String) -> [Int]? { file.storedType(of: tensor)?.shape }

    func full(_ key: String) -> String { "\(architecture).\(key)" }

    func count(_ key: String) throws(CheckpointError) -> Int? {
        try file.values.count(full(key))
    }

    func integer(_ key: String) throws(CheckpointError) -> JSONValue? {
        try count(key).map { .integer(Int64($0)) }
    }

    func number(_ key: String) throws(CheckpointError) -> Double? {
        try file.values.number(full(key))
    }

    /// A number above 0; nil for 0, which means that there is none.
    func factor(_ key: String) throws(CheckpointError) -> JSONValue? {
        try number(key).flatMap { $0 == 0 ? nil : .number($0) }
    }

    func required(_ key: String) throws(CheckpointError) -> JSONValue {
        guard let value = try integer(key) else { throw missing(key) }
        return value
    }

    private func requiredNumber(_ key: String) throws(CheckpointError) -> Double {
        guard let value = try number(key) else { throw missing(key) }
        return value
    }

    private func missing(_ key: String) -> CheckpointError {
        malformed("key '\(full(key))' is missing")
    }

    func malformed(_ reason: String) -> CheckpointError {
        .malformed(path: file.path, reason: reason)
    }
}
