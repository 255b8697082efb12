internal import StrictJSON
internal import Transformer

/// Adapters after Houlsby (two small networks a layer), after Pfeiffer (one), and beside a sublayer
/// instead of behind it, as the AdapterHub library has them; PEFT has none of these.
///
///     model.layers.<n>.<place>.adapter_down.0.weight, .bias    [width, hidden], [width]
///     model.layers.<n>.<place>.adapter_up.weight, .bias        [hidden, width], [hidden]
///     model.layers.<n>.<place>.scaling                         [1] or [hidden]    "learned", "channel"
///     model.layers.<n>.<place>.adapter_norm_before, _after     [hidden] each      ln_before, ln_after
///
/// The place is `attention_adapters` or `output_adapters`. With a norm before, the library numbers that
/// `adapter_down.0` and the matrix `adapter_down.1`, and saves the norm a second time.
///
/// **Source**: arXiv 1902.00751, 2005.00247, 2110.04366; adapters 1.3.0, `methods/modeling.py`.
enum BottleneckAdapter {
    /// What stands for PEFT's name of the method.
    static let type = "ADAPTERHUB_BOTTLENECK"

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let slots = context.base.slots
        try checkHiddenSize(&configuration, slots)
        let settings = try BottleneckSettings(&configuration)
        let hasHead = try SavedHead.isNamed(&configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: BottleneckSettings.trainingOnly,
            strict: context.options.strict)
        var tensors = NamedTensors(file)
        var operators = AdapterOperators()
        if hasHead { operators.linear = try SavedHead.operators(&tensors, context) }
        for layer in 0..<slots.layerCount where !settings.leftOut.contains(layer) {
            let width = try settings.width(layer: layer, hiddenSize: slots.hiddenSize)
            for sublayer in settings.sublayers {
                let slot = SublayerSlot(layer: layer, sublayer: sublayer)
                let place = Place(slot, width: width, hiddenSize: slots.hiddenSize)
                operators.bottlenecks[slot] = try place.bottleneck(
                    settings, &tensors, file: file.tensorFile)
            }
        }
        try tensors.checkNothingIsLeft()
        return CompiledAdapter(
            operators: operators, parameterCount: tensors.parameterCount, warnings: warnings,
            targets: TargetSummary.text(operators, slots: slots))
    }

    private static func checkHiddenSize(
        _ configuration: inout AdapterConfiguration, _ slots: SlotTable
    ) throws(AdapterError) {
        let setting = "hidden_size"
        guard let found = try configuration.optionalCount(setting, limit: 1 << 31),
            found != slots.hiddenSize
        else { return }
        throw .invalidSetting(
            setting, value: String(found), expected: "\(slots.hiddenSize), the base's",
            file: configuration.file)
    }

    /// A place where a network stands, and what its tensors are called.
    private struct Place {
        let width: Int
        let hiddenSize: Int
        private let prefix: String

        init(_ slot: SublayerSlot, width: Int, hiddenSize: Int) {
            self.width = width
            self.hiddenSize = hiddenSize
            let name = slot.sublayer == .attention ? "attention_adapters" : "output_adapters"
            prefix = "model.layers.\(slot.layer).\(name)."
        }

        func bottleneck(
            _ settings: BottleneckSettings, _ tensors: inout NamedTensors, file: String
        ) throws(AdapterError) -> Bottleneck {
            let down = "adapter_down.\(settings.hasNormBefore ? 1 : 0)"
            let network = Bottleneck.Network(
                down: try take(down + ".weight", [width, hiddenSize], &tensors),
                downBias: try take(down + ".bias", [width], &tensors),
                function: settings.function,
                up: try take("adapter_up.weight", [hiddenSize, width], &tensors),
                upBias: try take("adapter_up.bias", [hiddenSize], &tensors),
                scaling: try scaling(settings.scaling, &tensors))
            return Bottleneck(
                network: network, placement: settings.placement,
                normBefore: try settings.hasNormBefore ? normBefore(&tensors, file: file) : nil,
                normAfter: try settings.hasNormAfter ? norm("adapter_norm_after", &tensors) : nil)
        }

        private func take(
            _ name: String, _ shape: [Int], _ tensors: inout NamedTensors
        ) throws(AdapterError) -> [Float] {
            try tensors.take(
                prefix + name, shape: shape,
                reason: "the base's hidden size is \(hiddenSize), and 'reduction_factor' leaves "
                    + "\(width) features")
        }

        private func scaling(
            _ scaling: BottleneckSettings.Scaling, _ tensors: inout NamedTensors
        ) throws(AdapterError) -> [Float] {
            switch scaling {
            case .fixed(let factor): return Array(repeating: factor, count: hiddenSize)
            case .learned:
                let factor = try take("scaling", [1], &tensors)
                return Array(repeating: factor[0], count: hiddenSize)
            case .channel: return try take("scaling", [hiddenSize], &tensors)
            }
        }

        private func norm(
            _ name: String, _ tensors: inout NamedTensors
        ) throws(AdapterError) -> LayerNorm {
            LayerNorm(
                gain: try take(name + ".weight", [hiddenSize], &tensors),
                bias: try take(name + ".bias", [hiddenSize], &tensors))
        }

        /// Under either name, or both.
        private func normBefore(
            _ tensors: inout NamedTensors, file: String
        ) throws(AdapterError) -> LayerNorm {
            let names = ["adapter_down.0", "adapter_norm_before"].filter {
                tensors.has(prefix + $0 + ".weight")
            }
            guard names.count == 2 else {
                return try norm(names.first ?? "adapter_norm_before", &tensors)
            }
            let first = try norm(names[0], &tensors)
            guard try norm(names[1], &tensors) == first else {
                throw .invalidValues(
                    tensor: prefix + names[1] + ".weight",
                    reason: "it is the norm '\(prefix)\(names[0])' again, and differs from it",
                    file: file)
            }
            return first
        }
    }
}
