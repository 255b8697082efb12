internal import StrictJSON
internal import Transformer

/// X-LoRA: LoRA experts whose gates a small network makes, for each token, of the base's last
/// hidden state in a pass of its own.
///
///     base_model.internal_xlora_classifier.layers.<n>.weight    [outputs, inputs]
///     base_model.internal_xlora_classifier.layers.<n>.bias      [outputs]
///
/// The last layer has an output for each expert, or with `layerwise_scalings` for each expert at
/// each module that has any, in the order of the base's modules. In the first pass every gate is
/// `scaling_pass_value`: with 0 the base acts alone.
///
/// The experts are PEFT directories: where `adapters` says, below the adapter's own directory, or
/// below it under their names there, as PEFT saves them.
///
/// **Source**: arXiv 2402.07148; PEFT 0.21.
enum XLoRA {
    static let peftType = "XLORA"
    private static let prefix = "base_model.internal_xlora_classifier.layers."
    private static let expertCountLimit = 1024
    private static let trainingOnly: Set<String> = ["use_trainable_adapters", "xlora_dropout_p"]

    private struct Settings {
        let finish: GateFinish
        let isLayerwise: Bool
        let depth: Int
        /// Of the network's layers between.
        let width: Int
        let firstPassScore: Float
        /// What every expert's update is multiplied with.
        let factor: Double
    }

    /// Where the experts lie.
    static func places(
        _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> [Mixture.Place] {
        var configuration = configuration
        var places: [Mixture.Place] = []
        for (name, value) in try configuration.members("adapters", limit: expertCountLimit) {
            guard let path = value.stringValue, !path.isEmpty, !name.isEmpty else {
                throw configuration.invalid("adapters", value, expected: "names and directories")
            }
            let isAbsolute = path.hasPrefix("/")
            places.append(
                Mixture.Place(
                    setting: "adapters", name: path,
                    paths: isAbsolute ? [name, path] : [path, name]))
        }
        return places
    }

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let named = configuration.value("adapters")
        guard !file.experts.isEmpty else {
            guard named != nil else {
                throw .missingSetting("adapters", file: configuration.file)
            }
            throw Mixture.expertsLeftOut(configuration.file)
        }
        let settings = try settings(
            &configuration, expertCount: file.experts.count, base: context.base)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        let factors = try ExpertFactors(file.experts.map(\.file), context)
        let network = try network(file, settings, slotCount: factors.slots.count, context.base)
        var operators = AdapterOperators()
        let gates = settings.finish.gates(ofEqual: settings.firstPassScore)
        var firstPass = AdapterOperators()
        for (place, slot) in factors.slots.enumerated() {
            operators.linear[slot] = [
                .update(map(factors, slot, at: settings.isLayerwise ? place : 0, settings))
            ]
            for (expert, gate) in zip(factors.experts, gates) where gate != 0 {
                guard let own = expert[slot] else { continue }
                firstPass.linear[slot, default: []].append(
                    .update(own.map(times: Double(gate) * settings.factor)))
            }
        }
        operators.companion = Companion(operators: firstPass, readout: network)
        return CompiledAdapter(
            operators: operators,
            parameterCount: factors.parameterCount
                + file.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) },
            warnings: warnings + factors.warnings,
            targets: TargetSummary.text(operators, slots: context.base.slots))
    }

    /// An expert that leaves the slot alone has a gate all the same.
    private static func map(
        _ factors: ExpertFactors, _ slot: LinearSlot, at place: Int, _ settings: Settings
    ) -> ExpertMap {
        let rank = factors.experts.compactMap { $0[slot] }[0]
        let none = PlainLoRA.Factors(
            a: Array(repeating: 0, count: rank.inputCount),
            b: Array(repeating: 0, count: rank.outputCount), rank: 1,
            inputCount: rank.inputCount, outputCount: rank.outputCount, scaling: 0,
            isEmbedding: false)
        return ExpertMap(
            factors.experts.map { ($0[slot] ?? none).map(times: settings.factor) },
            gates: .state(from: place * factors.experts.count))
    }

    private static func settings(
        _ configuration: inout AdapterConfiguration, expertCount: Int, base: BaseModel
    ) throws(AdapterError) -> Settings {
        let file = configuration.file
        let hidden = try configuration.optionalCount("hidden_size", limit: 1 << 20)
        if let hidden, hidden != base.slots.hiddenSize {
            throw .invalidSetting(
                "hidden_size", value: "\(hidden)",
                expected: "\(base.slots.hiddenSize), the base's: it was trained on another base",
                file: file)
        }
        let temperature = try configuration.number("softmax_temperature", standard: 1)
        guard temperature > 0 else {
            throw .invalidSetting(
                "softmax_temperature", value: "\(temperature)", expected: "a number above 0",
                file: file)
        }
        let usesSoftmax = try configuration.flag("enable_softmax", standard: true)
        return Settings(
            finish: GateFinish(
                expertCount: expertCount, temperature: usesSoftmax ? Float(temperature) : nil,
                chosenCount: try configuration.optionalCount("top_k_lora", limit: expertCount),
                normalizesChosen: try configuration.flag("enable_softmax_topk")),
            isLayerwise: try configuration.flag("layerwise_scalings"),
            depth: try configuration.optionalCount("xlora_depth", limit: 1 << 8) ?? 1,
            width: try configuration.optionalCount("xlora_size", limit: 1 << 20) ?? 2048,
            firstPassScore: Float(try configuration.number("scaling_pass_value", standard: 0)),
            factor: try configuration.number("global_scaling_weight", standard: 1))
    }

    /// The tensors' layer numbers leave out ReLU and dropout, so that only their order counts.
    private static func network(
        _ file: AdapterFile, _ settings: Settings, slotCount: Int, _ base: BaseModel
    ) throws(AdapterError) -> GateNetwork {
        let numbers = try layerNumbers(file)
        guard numbers.count == settings.depth else {
            throw .missingTensor(
                "\(prefix)<n>.weight",
                reason: "'xlora_depth' is \(settings.depth), and the file has \(numbers.count) "
                    + "layers; PEFT 0.21 leaves some out where experts are named by numbers: save "
                    + "the classifier's state dict with it", file: file.tensorFile)
        }
        var tensors = NamedTensors(file)
        var layers: [GateNetwork.Layer] = []
        var inputCount = base.slots.hiddenSize
        for (index, number) in numbers.enumerated() {
            let isLast = index == numbers.count - 1
            let gateCount = settings.finish.expertCount * (settings.isLayerwise ? slotCount : 1)
            let outputCount = isLast ? gateCount : settings.width
            let reason =
                isLast
                ? "it makes gates for \(settings.finish.expertCount) experts"
                    + (settings.isLayerwise ? " at \(slotCount) modules" : "")
                : "'xlora_size' is \(settings.width)"
            let weight = try tensors.take(
                "\(prefix)\(number).weight", shape: [outputCount, inputCount], reason: reason)
            layers.append(
                GateNetwork.Layer(
                    weight: weight,
                    bias: try tensors.take(
                        "\(prefix)\(number).bias", shape: [outputCount], reason: reason)))
            inputCount = outputCount
        }
        try tensors.checkNothingIsLeft()
        return GateNetwork(layers, finish: settings.finish)
    }

    private static func layerNumbers(_ file: AdapterFile) throws(AdapterError) -> [Int] {
        var numbers: Set<Int> = []
        for tensor in file.tensors {
            let parts = tensor.name.dropFirst(prefix.count).split(separator: ".")
            guard tensor.name.hasPrefix(prefix), parts.count == 2, let number = Int(parts[0]) else {
                throw .unknownTensor(
                    tensor.name, reason: "X-LoRA's own tensors begin with '\(prefix)'",
                    file: file.tensorFile)
            }
            numbers.insert(number)
        }
        return numbers.sorted()
    }
}
