public import Checkpoints
public import Kernels
internal import StrictJSON

extension BaseModel {
    /// Opens a base of any supported kind: a Hugging Face directory, a `.safetensors`, a `.gguf` or
    /// a `model.bin`, told apart by content.
    ///
    /// - Parameters:
    ///   - quantization: where given, weight matrices of float types are rounded to blocks.
    ///   - keyValueType: what keys and values are kept in; nil: f32 beside weights in f32 and f16,
    ///     bf16 beside all others.
    ///   - progress: called with the share done, 0…1, from this thread.
    /// - Throws: `TransformerError`, which names file and tensor or setting.
    public static func open(
        path: String, pool: WorkerPool, quantization: Quantization? = nil,
        keyValueType: KeyValueType? = nil, progress: @escaping (Double) -> Void = { _ in }
    ) throws(TransformerError) -> BaseModel {
        let checkpoint: BaseCheckpoint
        do { checkpoint = try BaseCheckpoint.open(path: path) } catch { throw .checkpoint(error) }
        return try BaseModel(
            checkpoint: checkpoint, pool: pool, quantization: quantization,
            keyValueType: keyValueType, progress: progress)
    }

    /// Reads an opened checkpoint: every tensor has a place and every place a tensor, or it fails.
    public convenience init(
        checkpoint: BaseCheckpoint, pool: WorkerPool, quantization: Quantization? = nil,
        keyValueType: KeyValueType? = nil, progress: @escaping (Double) -> Void = { _ in }
    ) throws(TransformerError) {
        let path = checkpoint.tensors.path
        var configuration = try ModelConfiguration(checkpoint.configuration, file: path)
        let slots = SlotTable(configuration)
        let source: any WeightSource
        if checkpoint.kind == .packed {
            source = try PackedWeightSource(checkpoint.tensors, pool: pool)
        } else {
            source = StoredWeightSource(
                tensors: checkpoint.tensors, pool: pool,
                permutedHeadCounts: checkpoint.queryKeyRowsArePermuted
                    ? (configuration.queryHeadCount, configuration.keyValueHeadCount) : nil)
        }
        try TensorNameCheck(names: source.tensorNames, file: path).check()
        try WeightMemory.check(
            needed: checkpoint.tensors.tensorNames.reduce(0) {
                $0 + (checkpoint.tensors.tensor($1).map(KeptTypes.byteCount) ?? 0)
            }, available: WeightMemory.machine, file: path)
        let head = try HeadPlan(
            isTied: configuration.tiesHeadToEmbedding, names: Set(source.tensorNames),
            areSame: source.haveSameContent)
        configuration.tiesHeadToEmbedding = head != .own
        var loader = WeightLoader(
            source: source, slots: slots, quantization: quantization, pool: pool,
            progress: progress)
        let weights = try loader.load(head: head)
        try loader.checkNothingIsLeft()
        var settings = checkpoint.configuration
        settings["tie_word_embeddings"] = .bool(configuration.tiesHeadToEmbedding)
        self.init(
            configuration: configuration,
            configurationText: JSONValue.object(settings).serialized(),
            path: path, tokenizer: checkpoint.tokenizer, weights: weights,
            keyValueType: keyValueType,
            warnings: checkpoint.warnings
                + ModelConfiguration.warnings(checkpoint.configuration, file: path)
                + source.keptTypes.warnings(file: path))
    }
}

/// Fills every slot of the base from a source, and keeps account of what was read.
private struct WeightLoader {
    let source: any WeightSource
    let slots: SlotTable
    let quantization: Quantization?
    let pool: WorkerPool
    let progress: (Double) -> Void
    private let arena = PackedArena()
    private var consumed: Set<String> = []

    init(
        source: any WeightSource, slots: SlotTable, quantization: Quantization?, pool: WorkerPool,
        progress: @escaping (Double) -> Void
    ) {
        self.source = source
        self.slots = slots
        self.quantization = quantization
        self.pool = pool
        self.progress = progress
    }

    mutating func load(head: HeadPlan) throws(TransformerError) -> BaseModel.Weights {
        let embedding = try matrix(
            head == .isEmbeddingToo ? .linear(.head) : .embedding,
            LinearShape(outputCount: slots.vocabularyCount, inputCount: slots.hiddenSize))
        var linear: [PackedMatrix] = []
        var biases: [[Float]?] = []
        var gains: [[Float]] = []
        for layer in 0..<slots.layerCount {
            for role in LinearRole.allCases {
                let slot = LinearSlot.layer(layer, role)
                linear.append(try matrix(.linear(slot), slots.shape(of: slot), slot: slot))
                biases.append(try bias(slot))
            }
            for role in NormRole.allCases { gains.append(try gain(.layer(layer, role))) }
            progress(Double(layer + 1) / Double(slots.layerCount + 1))
        }
        gains.append(try gain(.final))
        linear.append(
            head != .own
                ? embedding : try matrix(.linear(.head), slots.shape(of: .head), slot: .head))
        biases.append(nil)
        if head != .own { consumed.insert(WeightNames.weight(of: .linear(.head))) }
        progress(1)
        return BaseModel.Weights(embedding: embedding, linear: linear, biases: biases, gains: gains)
    }

    /// Older checkpoints carry the rotary frequencies, which follow from the configuration.
    func checkNothingIsLeft() throws(TransformerError) {
        for name in source.tensorNames
        where !consumed.contains(name) && !name.hasSuffix("rotary_emb.inv_freq") {
            throw .unknownTensor(name, file: source.path)
        }
    }

    private mutating func matrix(
        _ slot: Slot, _ shape: LinearShape, slot linear: LinearSlot? = nil
    ) throws(TransformerError) -> PackedMatrix {
        let name = WeightNames.weight(of: slot)
        consumed.insert(name)
        guard let quantization else {
            return try source.matrix(name, shape: shape, slot: linear, arena: arena)
        }
        let matrix = try source.matrix(name, shape: shape, slot: linear, arena: nil)
        return quantization.quantized(matrix, slot: linear, into: arena, pool: pool)
    }

    private mutating func bias(_ slot: LinearSlot) throws(TransformerError) -> [Float]? {
        guard slots.hasBias(slot) else { return nil }
        let name = WeightNames.bias(of: slot)
        consumed.insert(name)
        return try source.vector(name, count: slots.shape(of: slot).outputCount, slot: slot)
    }

    private mutating func gain(_ slot: NormSlot) throws(TransformerError) -> [Float] {
        let name = WeightNames.weight(of: .norm(slot))
        consumed.insert(name)
        return try source.vector(name, count: slots.hiddenSize, slot: nil)
    }
}
