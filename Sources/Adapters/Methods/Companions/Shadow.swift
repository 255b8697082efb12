internal import Transformer

/// ShadowPEFT: a small decoder beside the base gives each token a state, which acts on the input of
/// every decoder block and takes up what the block makes.
///
///     base_model.shadow_backbone.default.<module>                a decoder of the base's kind
///     base_model.shadow_projection.default.weight                [hidden, its hidden], where they differ
///     base_model.model.<block>.shadow_down.default.weight        [rank, hidden]
///     base_model.model.<block>.shadow_up.default.weight          [hidden, rank]
///     base_model.model.<block>.shadow_update_transform.default.{0,2}.{weight,bias}
///     base_model.model.<block>.shadow_update_gate.default.{0,2}.{weight,bias}
///
/// **Source**: PEFT 0.21.
enum Shadow {
    private static let prefix = PEFTAdapter.prefix
    private static let unsupported: [(name: String, reason: String)] = [
        ("modules_to_save", "modules saved beside a shadow model can't be served yet")
    ]
    private static let trainingOnly: Set<String> = [
        "auxiliary_loss_weight", "init_weights", "shadow_dropout",
    ]

    private struct Settings {
        let rank: Int
        /// Of the networks that update the state.
        let updateWidth: Int
        let alpha: Float
        let model: ShadowModel.Settings
    }

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        try UnknownSettings.refuse(unsupported, in: &configuration)
        try PlainBlocks.check(
            context.base, method: "a shadow model", file: configuration.file)
        let blocks = try blocks(&configuration, context.base.slots)
        let settings = try settings(&configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        var tensors = NamedTensors(file)
        var operators = AdapterOperators()
        operators.companion = try ShadowModel(settings: settings.model, context: context)
            .read(&tensors, file)
        for block in blocks {
            operators.stateLayers[block] = try stateLayer(
                "\(prefix)\(name(of: block))", settings, context.base.slots.hiddenSize, &tensors)
        }
        try tensors.checkNothingIsLeft()
        return CompiledAdapter(
            operators: operators,
            parameterCount: file.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) },
            warnings: warnings,
            targets: TargetSummary.text(operators, slots: context.base.slots))
    }

    private static func name(of block: Int) -> String { "model.layers.\(block)" }

    /// The targeted decoder blocks, which must follow each other: the state goes from one to the
    /// next.
    private static func blocks(
        _ configuration: inout AdapterConfiguration, _ slots: SlotTable
    ) throws(AdapterError) -> [Int] {
        let targets = try TargetModules(
            &configuration, standard: (0..<slots.layerCount).map(name))
        var blocks: [Int] = []
        for block in 0..<slots.layerCount
        where try targets.contains(name(of: block), isLinearBelowHead: false) {
            blocks.append(block)
        }
        guard let first = blocks.first, let last = blocks.last else {
            throw .noTargetMatched(
                setting: "target_modules", value: targets.value.text,
                modules: "\(name(of: 0)) to \(name(of: slots.layerCount - 1))",
                file: configuration.file)
        }
        guard blocks.count == last - first + 1 else {
            throw .invalidSetting(
                "target_modules", value: targets.value.text,
                expected: "decoder blocks that follow each other", file: configuration.file)
        }
        return blocks
    }

    private static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 8
        return Settings(
            rank: rank,
            updateWidth: try configuration.optionalCount("update_hidden_size", limit: 1 << 20)
                ?? rank,
            alpha: Float(try configuration.number("shadow_alpha", standard: 0.1)),
            model: try ShadowModel.Settings(&configuration))
    }

    private static func stateLayer(
        _ block: String, _ settings: Settings, _ hidden: Int, _ tensors: inout NamedTensors
    ) throws(AdapterError) -> StateLayer {
        let (rank, width) = (settings.rank, settings.updateWidth)
        let reason =
            "'r' is \(rank), 'update_hidden_size' \(width), the base's hidden size \(hidden)"
        func take(_ name: String, _ shape: [Int]) throws(AdapterError) -> [Float] {
            try tensors.take("\(block).shadow_\(name)", shape: shape, reason: reason)
        }
        func network(_ name: String) throws(AdapterError) -> RowNetwork {
            RowNetwork(
                first: try take("update_\(name).default.0.weight", [width, hidden]),
                firstBias: try take("update_\(name).default.0.bias", [width]),
                second: try take("update_\(name).default.2.weight", [hidden, width]),
                secondBias: try take("update_\(name).default.2.bias", [hidden]))
        }
        let down = try take("down.default.weight", [rank, hidden])
        let up = try take("up.default.weight", [hidden, rank])
        return StateLayer(
            injection: LowRankMap(
                a: down,
                transposedB: Matrices.transposed(up, rowCount: hidden).map { $0 * settings.alpha },
                rank: rank),
            candidate: try network("transform"), gate: try network("gate"))
    }
}
