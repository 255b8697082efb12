internal import Kernels
internal import Transformer

/// The small decoder of ShadowPEFT: of the base's kind, with as many layers, heads and features as
/// the configuration says, and the base's own where it doesn't.
struct ShadowModel {
    private static let prefix = "base_model.shadow_backbone.default."
    private static let projection = "base_model.shadow_projection.default.weight"

    struct Settings {
        let layerCount: Int
        let hiddenSize: Int?
        let intermediateSize: Int?
        let headCount: Int?
        let sharesEmbedding: Bool

        init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
            if let model = try configuration.text("shadow_model"), model != "mirror" {
                throw .unsupportedSetting(
                    "shadow_model", value: "\"\(model)\"",
                    reason: "only decoders of the base's own kind, \"mirror\", can be served",
                    file: configuration.file)
            }
            let limit = 1 << 20
            layerCount =
                try configuration.optionalCount("shadow_num_hidden_layers", limit: 1 << 12) ?? 1
            hiddenSize = try configuration.optionalCount("shadow_hidden_size", limit: limit)
            intermediateSize = try configuration.optionalCount(
                "shadow_intermediate_size", limit: limit)
            headCount = try configuration.optionalCount(
                "shadow_num_attention_heads", limit: limit)
            sharesEmbedding = try configuration.flag("share_embeddings", standard: true)
        }
    }

    let settings: Settings
    let context: Methods.Context

    private var base: BaseModel { context.base }
    private var hiddenSize: Int { settings.hiddenSize ?? base.slots.hiddenSize }

    /// Takes the decoder's tensors.
    ///
    /// - Throws: `AdapterError`.
    func read(
        _ tensors: inout NamedTensors, _ file: AdapterFile
    ) throws(AdapterError) -> Companion {
        let configuration = try configuration(file)
        let weights = try weights(configuration, &tensors)
        let model = BaseModel.companion(of: base, configuration, weights, path: file.tensorFile)
        guard model.fitsPages(of: base) else {
            throw .configuration(
                file: file.configuration.file,
                reason:
                    "its own decoder keeps more keys and values of a token than the base, which "
                    + "can't be served")
        }
        return Companion(model: model, readout: try readout(&tensors))
    }

    /// The width of a head follows from the file: some of PEFT's bases fix it, others divide anew.
    private func configuration(_ file: AdapterFile) throws(AdapterError) -> DecoderSpec {
        let own = base.configuration
        guard own.canBeResized else {
            throw .configuration(
                file: file.configuration.file,
                reason: "a decoder like a base of type '\(own.modelType)' can't be served")
        }
        let headCount = settings.headCount ?? own.queryHeadCount
        let name = "\(Self.prefix)layers.0.self_attn.q_proj.weight"
        guard let query = file.tensors.first(where: { $0.name == name }) else {
            throw .missingTensor(
                name, reason: "the method consists of it", file: file.tensorFile)
        }
        let rowCount = query.shape.first ?? 0
        guard rowCount > 0, rowCount % (2 * headCount) == 0, headCount % own.keyValueHeadCount == 0
        else {
            throw .wrongShape(
                tensor: name, expected: [headCount * own.headDimension, hiddenSize],
                found: query.shape,
                reason: "'shadow_num_attention_heads' gives \(headCount) heads for "
                    + "\(own.keyValueHeadCount) of keys and values", file: file.tensorFile)
        }
        return own.resized(
            layerCount: settings.layerCount, hiddenSize: hiddenSize,
            intermediateSize: settings.intermediateSize ?? own.intermediateSize,
            queryHeadCount: headCount, headDimension: rowCount / headCount)
    }

    private func weights(
        _ configuration: DecoderSpec, _ tensors: inout NamedTensors
    ) throws(AdapterError) -> BaseModel.Weights {
        let embedding = try embedding(&tensors)
        let slots = SlotTable(configuration)
        var linear = [PackedMatrix](repeating: embedding, count: slots.linearCount)
        var biases = [[Float]?](repeating: nil, count: slots.linearCount)
        var gains = [[Float]](repeating: [], count: slots.normCount)
        for slot in slots.all {
            let name = Self.prefix + slots.name(of: slot).dropFirst("model.".count)
            switch slot {
            case .embedding, .linear(.head): continue
            case .norm(let norm):
                gains[norm.index] = try vector("\(name).weight", slots.width(of: norm), &tensors)
            case .linear(let place):
                let shape = slots.shape(of: place)
                linear[place.index] = try matrix(
                    "\(name).weight", shape.outputCount, shape.inputCount, &tensors)
                if slots.hasBias(place) {
                    biases[place.index] = try vector("\(name).bias", shape.outputCount, &tensors)
                }
            }
        }
        return BaseModel.Weights(
            embedding: embedding, linear: linear, biases: biases, gains: gains)
    }

    /// PEFT leaves the decoder without a table of its own where the base's fits.
    private func embedding(_ tensors: inout NamedTensors) throws(AdapterError) -> PackedMatrix {
        guard !settings.sharesEmbedding || hiddenSize != base.slots.hiddenSize else {
            return base.weights.embedding
        }
        return try matrix(
            "\(name(of: .embedding)).weight", base.slots.vocabularyCount, hiddenSize,
            &tensors)
    }

    private func readout(_ tensors: inout NamedTensors) throws(AdapterError) -> RowMap? {
        guard hiddenSize != base.slots.hiddenSize else { return nil }
        let values = try tensors.take(
            Self.projection, shape: [base.slots.hiddenSize, hiddenSize],
            reason: "it leads from the decoder's \(hiddenSize) features to the base's "
                + "\(base.slots.hiddenSize)")
        return BlockDiagonalMap(
            blocks: values, blockCount: 1,
            blockShape: LinearShape(
                outputCount: base.slots.hiddenSize, inputCount: hiddenSize))
    }

    /// In the file, without the prefix of models with a head.
    private func name(of slot: Slot) -> String {
        Self.prefix + base.slots.name(of: slot).dropFirst("model.".count)
    }

    private func matrix(
        _ name: String, _ outputCount: Int, _ inputCount: Int, _ tensors: inout NamedTensors
    ) throws(AdapterError) -> PackedMatrix {
        let values = try tensors.take(name, shape: [outputCount, inputCount], reason: reason)
        return values.withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: inputCount), pool: context.pool)
        }
    }

    private func vector(
        _ name: String, _ count: Int, _ tensors: inout NamedTensors
    ) throws(AdapterError) -> [Float] {
        try tensors.take(name, shape: [count], reason: reason)
    }

    private var reason: String {
        "it follows from the base's configuration and the 'shadow_' settings"
    }
}
