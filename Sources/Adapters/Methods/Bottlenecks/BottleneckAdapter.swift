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
/// ``HypercomplexLayers`` may stand in for the two matrices. The place is `attention_adapters` or
/// `output_adapters`. With a norm before, the library numbers that `adapter_down.0` and the matrix
/// `adapter_down.1`, and saves the norm a second time.
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
        try PlainBlocks.check(
            context.base, method: "bottlenecks of AdapterHub", file: configuration.file)
        try checkHiddenSize(&configuration, slots)
        var settings = try BottleneckSettings(&configuration)
        var compiler = try compiler(file, &configuration, in: context)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: BottleneckSettings.trainingOnly,
            strict: context.options.strict)
        for layer in 0..<slots.layerCount where !settings.leftOut.contains(layer) {
            let width = try settings.width(layer: layer, hiddenSize: slots.hiddenSize)
            for sublayer in settings.sublayers {
                let slot = SublayerSlot(layer: layer, sublayer: sublayer)
                let place = Place(slot, width: width, hiddenSize: slots.hiddenSize)
                compiler.operators.bottlenecks[slot] = try place.bottleneck(&settings, &compiler)
            }
        }
        try compiler.compileSaved()
        return compiler.result(warnings: warnings)
    }

    /// Of the networks, and of a head that the library saves along by default, trained or not.
    private static func compiler(
        _ file: AdapterFile, _ configuration: inout AdapterConfiguration,
        in context: Methods.Context
    ) throws(AdapterError) -> TunerCompiler {
        let slots = context.base.slots
        let names = file.tensors.map(\.name).filter { !$0.hasPrefix(TunerTensors.prefix) }
        var compiler = TunerCompiler(
            settings: try TunerSettings(withoutTargets: &configuration),
            tensors: try TunerTensors(
                file, slots: slots, method: "a bottleneck", parts: [], shared: Set(names)),
            context: context,
            vocabularyCount: try ResizedTables.tokenCount(in: file, slots: slots),
            configurationFile: configuration.file)
        // That library loads nothing but its own.
        compiler.strays.areServed = false
        return compiler
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
            _ settings: inout BottleneckSettings, _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> Bottleneck {
            let down = HypercomplexLayers.Layer(
                prefix: prefix + "adapter_down.\(settings.hasNormBefore ? 1 : 0)",
                position: "down", inputCount: hiddenSize, outputCount: width)
            let up = HypercomplexLayers.Layer(
                prefix: prefix + "adapter_up", position: "up", inputCount: width,
                outputCount: hiddenSize)
            let (downWeight, downBias) = try layer(down, &settings.hypercomplex, &compiler)
            let (upWeight, upBias) = try layer(up, &settings.hypercomplex, &compiler)
            let network = Bottleneck.Network(
                down: downWeight, downBias: downBias, function: settings.function, up: upWeight,
                upBias: upBias, scaling: try scaling(settings.scaling, &compiler))
            return Bottleneck(
                network: network, placement: settings.placement,
                normBefore: try settings.hasNormBefore ? normBefore(&compiler) : nil,
                normAfter: try settings.hasNormAfter ? norm("adapter_norm_after", &compiler) : nil)
        }

        private func layer(
            _ layer: HypercomplexLayers.Layer, _ hypercomplex: inout HypercomplexLayers?,
            _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> (weight: [Float], bias: [Float]) {
            if var layers = hypercomplex {
                defer { hypercomplex = layers }
                return (
                    try layers.weight(of: layer, &compiler), try layers.bias(of: layer, &compiler)
                )
            }
            let name = String(layer.prefix.dropFirst(prefix.count))
            return (
                try take(name + ".weight", [layer.outputCount, layer.inputCount], &compiler),
                try take(name + ".bias", [layer.outputCount], &compiler)
            )
        }

        private func take(
            _ name: String, _ shape: [Int], _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> [Float] {
            try compiler.floats(
                named: prefix + name, shape: shape,
                reason: "the base's hidden size is \(hiddenSize), and 'reduction_factor' leaves "
                    + "\(width) features")
        }

        private func scaling(
            _ scaling: BottleneckSettings.Scaling, _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> [Float] {
            switch scaling {
            case .fixed(let factor): return Array(repeating: factor, count: hiddenSize)
            case .learned:
                let factor = try take("scaling", [1], &compiler)
                return Array(repeating: factor[0], count: hiddenSize)
            case .channel: return try take("scaling", [hiddenSize], &compiler)
            }
        }

        private func norm(
            _ name: String, _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> LayerNorm {
            LayerNorm(
                gain: try take(name + ".weight", [hiddenSize], &compiler),
                bias: try take(name + ".bias", [hiddenSize], &compiler))
        }

        /// Under either name, or both.
        private func normBefore(
            _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> LayerNorm {
            let names = ["adapter_down.0", "adapter_norm_before"].filter {
                compiler.tensors.hasShared(prefix + $0 + ".weight")
            }
            guard names.count == 2 else {
                return try norm(names.first ?? "adapter_norm_before", &compiler)
            }
            let first = try norm(names[0], &compiler)
            guard try norm(names[1], &compiler) == first else {
                throw .invalidValues(
                    tensor: prefix + names[1] + ".weight",
                    reason: "it is the norm '\(prefix)\(names[0])' again, and differs from it",
                    file: compiler.file)
            }
            return first
        }
    }
}
