/// Bytes of GGUF files, well formed or not, put together field by field.
struct GGUFFixture {
    var magic = [UInt8]("GGUF".utf8)
    var version: UInt32 = 3
    /// Overrides the true counts.
    var tensorCount: UInt64?
    var keyCount: UInt64?
    var keys: [[UInt8]] = []
    var tensors: [[UInt8]] = []
    var data: [UInt8] = []
    var alignment = 32

    var file: [UInt8] {
        let head =
            magic + bytes(version) + bytes(tensorCount ?? UInt64(tensors.count))
            + bytes(keyCount ?? UInt64(keys.count)) + keys.flatMap(\.self) + tensors.flatMap(\.self)
        return Self.padded(head, to: alignment) + data
    }

    static func string(_ text: String) -> [UInt8] {
        bytes(UInt64(text.utf8.count)) + [UInt8](text.utf8)
    }

    mutating func set(_ key: String, type: UInt32, _ value: [UInt8]) {
        keys.append(Self.string(key) + bytes(type) + value)
    }

    mutating func set(_ key: String, _ value: UInt32) { set(key, type: 4, bytes(value)) }
    mutating func set(_ key: String, real value: Float) {
        set(key, type: 6, bytes(value.bitPattern))
    }
    mutating func set(_ key: String, _ value: Bool) { set(key, type: 7, [value ? 1 : 0]) }
    mutating func set(_ key: String, _ value: String) { set(key, type: 8, Self.string(value)) }

    mutating func set(_ key: String, _ value: [String]) {
        setArray(key, elementType: 8, count: value.count, value.flatMap(Self.string))
    }

    mutating func set(_ key: String, _ value: [Float]) {
        setArray(key, elementType: 6, count: value.count, bytes(value))
    }

    mutating func set(_ key: String, _ value: [Int32]) {
        setArray(key, elementType: 5, count: value.count, value.flatMap { bytes($0) })
    }

    mutating func setArray(_ key: String, elementType: UInt32, count: Int, _ value: [UInt8]) {
        set(key, type: 9, bytes(elementType) + bytes(UInt64(count)) + value)
    }

    /// Describes a tensor as it is written in the file: fastest dimension first.
    mutating func describe(
        _ name: String, dimensions: [Int64], type: UInt32 = 0, offset: UInt64
    ) {
        tensors.append(
            Self.string(name) + bytes(UInt32(dimensions.count)) + dimensions.flatMap { bytes($0) }
                + bytes(type) + bytes(offset))
    }

    /// Describes a tensor and appends its data.
    mutating func add(_ name: String, dimensions: [Int64], type: UInt32 = 0, _ content: [UInt8]) {
        describe(name, dimensions: dimensions, type: type, offset: UInt64(data.count))
        data = Self.padded(data + content, to: alignment)
    }

    mutating func add(_ name: String, dimensions: [Int64], _ values: [Float]) {
        add(name, dimensions: dimensions, bytes(values))
    }

    static func padded(_ content: [UInt8], to alignment: Int) -> [UInt8] {
        let excess = content.count % alignment
        return excess == 0
            ? content : content + [UInt8](repeating: 0, count: alignment - excess)
    }

    /// A vocabulary of four pieces and the keys of a small model of `architecture`.
    static func model(architecture: String = "llama") -> GGUFFixture {
        var fixture = GGUFFixture()
        fixture.set("general.architecture", architecture)
        for (key, value) in [
            ("embedding_length", 4), ("feed_forward_length", 8), ("block_count", 1),
            ("attention.head_count", 2), ("attention.head_count_kv", 1), ("context_length", 16),
            ("rope.dimension_count", 2),
        ] as [(String, UInt32)] {
            fixture.set("\(architecture).\(key)", value)
        }
        fixture.set("\(architecture).attention.layer_norm_rms_epsilon", real: 0.5)
        fixture.set("\(architecture).rope.freq_base", real: 500)
        fixture.set("tokenizer.ggml.model", "llama")
        fixture.set("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "▁a"])
        fixture.set("tokenizer.ggml.scores", [0, 0, 0, -1] as [Float])
        fixture.set("tokenizer.ggml.token_type", [2, 3, 3, 1] as [Int32])
        fixture.set("tokenizer.ggml.bos_token_id", 1)
        fixture.set("tokenizer.ggml.eos_token_id", 2)
        fixture.set("tokenizer.ggml.padding_token_id", UInt32.max)
        fixture.set("tokenizer.ggml.add_bos_token", true)
        fixture.set("tokenizer.chat_template", "{{ messages }}")
        return fixture
    }
}
