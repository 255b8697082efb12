internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// What configurations say of experts, and how checkpoints name them.
struct ExpertSettings {
    let settings: DecoderSettings
    let count: Int
    let topCount: Int
    let width: Int

    /// - Parameters:
    ///   - countName: the key with the number of experts; many files have its other name, too.
    ///   - count: where the file doesn't say.
    ///   - topCount: experts of a row where the file doesn't say.
    init(
        _ settings: DecoderSettings, countName: String, count: Int, topCount: Int,
        widthName: String = "intermediate_size", width: Int? = nil
    ) throws(TransformerError) {
        let (reader, limit) = (settings.reader, 1 << 12)
        self.settings = settings
        let other = countName == "num_experts" ? "num_local_experts" : "num_experts"
        let stated = try reader.optionalCount(countName, limit: limit)
        let statedElsewhere = try reader.optionalCount(other, limit: limit)
        self.count = stated ?? statedElsewhere ?? count
        self.topCount =
            try reader.optionalCount("num_experts_per_tok", limit: limit) ?? topCount
        if let width, reader.isAbsent(widthName) {
            self.width = width
        } else {
            self.width = try settings.intermediateSize(widthName)
        }
        guard self.topCount <= self.count else {
            throw reader.invalid(
                "num_experts_per_tok", "\(self.topCount)",
                expected: "no more than the \(self.count) experts")
        }
    }

    static let keys: [KnownKey] = [
        .read("num_local_experts", "experts of a layer; num_experts is the same"),
        .read("num_experts", "experts of a layer; num_local_experts is the same"),
        .read("num_experts_per_tok", "experts that a token goes through"),
        .withoutEffect("output_router_logits", "how transformers runs, not what it answers"),
        .withoutEffect("router_jitter_noise", "of training"),
    ]

    /// Experts of gate, up and down.
    ///
    /// - Parameters:
    ///   - name: of the part, for example `mlp`.
    ///   - names: of an expert's gate, up and down.
    ///   - maybeStacked: whether checkpoints may have all of them in two tensors instead.
    func gated(
        _ name: String, names: (gate: String, up: String, down: String), maybeStacked: Bool,
        normalizesWeights: Bool
    ) -> ExpertsSpec {
        func linear(
            _ expert: Int, _ part: String, _ outputCount: Int, _ inputCount: Int, in tensor: String,
            rows: Range<Int>, of rowCount: Int
        ) -> LinearSpec {
            var linear = LinearSpec(
                "\(name).experts.\(expert).\(part)", outputCount: outputCount,
                inputCount: inputCount)
            guard maybeStacked else { return linear }
            linear.stacked = StackedTensor(
                name: "\(name).experts.\(tensor)", biasName: nil, index: expert, count: count,
                rows: rows, rowCount: rowCount, isTransposed: false, isAlternative: true)
            return linear
        }
        let hiddenSize = settings.hiddenSize
        return experts(router: "\(name).gate", normalizesWeights: normalizesWeights) { expert in
            ExpertSpec(
                inputs: .gated(
                    gate: linear(
                        expert, names.gate, width, hiddenSize, in: "gate_up_proj", rows: 0..<width,
                        of: 2 * width),
                    up: linear(
                        expert, names.up, width, hiddenSize, in: "gate_up_proj",
                        rows: width..<2 * width, of: 2 * width)),
                down: linear(
                    expert, names.down, hiddenSize, width, in: "down_proj", rows: 0..<hiddenSize,
                    of: hiddenSize))
        }
    }

    func experts(
        router: String, routerHasBias: Bool = false, normalizesWeights: Bool,
        gating: ExpertsSpec.Gating = .activation(.silu), _ expert: (Int) -> ExpertSpec
    ) -> ExpertsSpec {
        ExpertsSpec(
            router: LinearSpec(
                router, outputCount: count, inputCount: settings.hiddenSize,
                hasBias: routerHasBias),
            topCount: topCount, normalizesWeights: normalizesWeights, width: width, gating: gating,
            experts: (0..<count).map(expert))
    }

    /// A part of experts alone.
    func feedForward(_ name: String, _ experts: ExpertsSpec) -> FeedForwardSpec {
        FeedForwardSpec(name: name, width: width, activation: .silu, experts: experts)
    }

    /// Whether a layer has experts: every `decoder_sparse_step`-th that isn't among
    /// `mlp_only_layers`.
    func layersWithExperts() throws(TransformerError) -> [Bool] {
        let reader = settings.reader
        let every = try reader.optionalCount("decoder_sparse_step", limit: 1 << 12) ?? 1
        var others: Set<Int> = []
        if let value = reader.present("mlp_only_layers") {
            let numbers = value.arrayValue?.map(\.intValue) ?? [nil]
            guard !numbers.contains(nil) else {
                throw reader.invalid(
                    "mlp_only_layers", reader.describe(value), expected: "a list of layers")
            }
            others = Set(numbers.compactMap(\.self))
        }
        return (0..<settings.layerCount).map { ($0 + 1) % every == 0 && !others.contains($0) }
    }
}
