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
        var configuration = try DecoderSpec(checkpoint.configuration, file: path)
        let slots = SlotTable(configuration)
        let source: any WeightSource
        if checkpoint.kind == .packed {
            source = try PackedWeightSource(checkpoint.tensors, pool: pool)
        } else {
            try configuration.checkKeyValueHeads(checkpoint, slots)
            source = StoredWeightSource(
                tensors: checkpoint.tensors, pool: pool, spec: configuration, slots: slots,
                layout: checkpoint.layout)
        }
        try TensorNameCheck(names: source.tensorNames, file: path).check()
        try WeightMemory.check(
            needed: checkpoint.tensors.tensorNames.reduce(0) {
                $0 + (checkpoint.tensors.tensor($1).map(KeptTypes.byteCount) ?? 0)
            }, available: WeightMemory.machine, file: path)
        let head = try HeadPlan(
            isTied: configuration.tiesHeadToEmbedding,
            embedding: slots.weightName(of: .embedding),
            head: slots.weightName(of: .linear(.head)), names: Set(source.tensorNames),
            areSame: source.haveSameContent)
        configuration.tiesHeadToEmbedding = head != .own
        var loader = WeightLoader(
            source: source, spec: configuration, slots: slots, quantization: quantization,
            pool: pool, progress: progress)
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
                + DecoderSpec.warnings(checkpoint.configuration, file: path)
                + source.keptTypes.warnings(file: path))
    }
}

/// Fills every slot of the base from a source, and keeps account of what was read.
private struct WeightLoader {
    let source: any WeightSource
    let spec: DecoderSpec
    let slots: SlotTable
    let quantization: Quantization?
    let pool: WorkerPool
    let progress: (Double) -> Void
    private let arena = PackedArena()
    private var consumed: Set<String> = []
    private let names: Set<String>

    init(
        source: any WeightSource, spec: DecoderSpec, slots: SlotTable,
        quantization: Quantization?, pool: WorkerPool, progress: @escaping (Double) -> Void
    ) {
        self.source = source
        self.spec = spec
        self.slots = slots
        self.quantization = quantization
        self.pool = pool
        self.progress = progress
        names = Set(source.tensorNames)
    }

    /// Keeps account of a tensor of a slot, or of that of all experts where it has no own.
    ///
    /// - Parameter stacked: the other's name.
    private mutating func consume(_ name: String, at slot: LinearSlot?, orIn stacked: String?) {
        guard let slot, let stacked, !names.contains(name) else {
            consumed.insert(name)
            return
        }
        consumed.insert(slots.stackedName(stacked, of: slot))
    }

    mutating func load(head: HeadPlan) throws(TransformerError) -> BaseModel.Weights {
        let embedding = try matrix(
            head == .isEmbeddingToo ? .linear(.head) : .embedding,
            LinearShape(outputCount: slots.vocabularyCount, inputCount: slots.hiddenSize))
        let positions = try positions()
        // By number: the head and the norms outside of layers stand in front.
        var linear: [PackedMatrix] = [embedding]
        var biases: [[Float]?] = [nil]
        var gains: [[Float]] = []
        var normBiases: [[Float]?] = []
        var sinks: [[Float]?] = []
        for index in 0..<(slots.layers.first?.norms.lowerBound ?? slots.normCount) {
            gains.append(try gain(NormSlot(index: index)))
            normBiases.append(try bias(NormSlot(index: index)))
        }
        for (index, layer) in slots.layers.enumerated() {
            for slot in layer.linears.map(LinearSlot.init) {
                linear.append(try matrix(.linear(slot), slots.shape(of: slot), slot: slot))
                biases.append(try bias(slot))
            }
            for slot in layer.norms.map(NormSlot.init) {
                gains.append(try gain(slot))
                normBiases.append(try bias(slot))
            }
            sinks.append(try self.sinks(spec.layers[index]))
            progress(Double(index + 1) / Double(slots.layerCount + 1))
        }
        if head == .own {
            linear[0] = try matrix(.linear(.head), slots.shape(of: .head), slot: .head)
        } else {
            consumed.insert(slots.weightName(of: .linear(.head)))
        }
        biases[0] = try bias(.head)
        progress(1)
        return BaseModel.Weights(
            embedding: embedding, linear: linear, biases: biases, gains: gains,
            normBiases: normBiases, positions: positions, sinks: sinks)
    }

    private mutating func positions() throws(TransformerError) -> PackedMatrix? {
        guard let table = spec.embedding.positions else { return nil }
        let name = table.name + ".weight"
        consumed.insert(name)
        return try source.matrix(
            name, shape: LinearShape(outputCount: table.count, inputCount: slots.hiddenSize),
            slot: nil, arena: arena)
    }

    private mutating func sinks(_ layer: LayerSpec) throws(TransformerError) -> [Float]? {
        guard let tensor = layer.attention.sinks else { return nil }
        let name = "\(layer.name).\(tensor)"
        consumed.insert(name)
        return try source.vector(name, count: layer.attention.queryHeadCount, slot: nil)
    }

    /// Older checkpoints carry tables that follow from the configuration.
    func checkNothingIsLeft() throws(TransformerError) {
        for name in source.tensorNames
        where !consumed.contains(name) && !spec.isIdle(tensor: name) {
            throw .unknownTensor(name, file: source.path)
        }
    }

    private mutating func matrix(
        _ slot: Slot, _ shape: LinearShape, slot linear: LinearSlot? = nil
    ) throws(TransformerError) -> PackedMatrix {
        let name = slots.weightName(of: slot)
        consume(name, at: linear, orIn: linear.flatMap { slots.stacked($0)?.name })
        // A rounded router would choose other experts.
        guard let quantization, !(linear.map(slots.isRouter) ?? false) else {
            return try source.matrix(name, shape: shape, slot: linear, arena: arena)
        }
        let matrix = try source.matrix(name, shape: shape, slot: linear, arena: nil)
        return quantization.quantized(matrix, slot: linear, into: arena, pool: pool)
    }

    private mutating func bias(_ slot: LinearSlot) throws(TransformerError) -> [Float]? {
        guard slots.hasBias(slot) else { return nil }
        let name = slots.biasName(of: .linear(slot))
        consume(name, at: slot, orIn: slots.stacked(slot)?.biasName)
        return try source.vector(name, count: slots.shape(of: slot).outputCount, slot: slot)
    }

    private mutating func gain(_ slot: NormSlot) throws(TransformerError) -> [Float] {
        let name = slots.weightName(of: .norm(slot))
        consumed.insert(name)
        return try source.gain(name, count: slots.width(of: slot), slot: slot)
    }

    private mutating func bias(_ slot: NormSlot) throws(TransformerError) -> [Float]? {
        guard slots.hasBias(slot) else { return nil }
        let name = slots.biasName(of: .norm(slot))
        consumed.insert(name)
        return try source.vector(name, count: slots.width(of: slot), slot: nil)
    }
}
