internal import Kernels
internal import StrictJSON
internal import Transformer

/// LLaMA-Adapter: prompts that the last layers attend to beside the sequence, each behind a gate.
///
///     base_model.model.model.layers.<n>.self_attn.adaption_prompt    [1, tokens, hidden]
///     base_model.model.model.layers.<n>.self_attn.adaption_gate      [1]
///
/// Keys and values are the prompt under the layer's own frozen projections, without rotary
/// embedding. PEFT sends the result through the output projection on its own, so that a bias of
/// that is added a second time.
///
/// **Source**: arXiv 2303.16199; PEFT 0.21.
enum AdaptionPrompt {
    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let base = context.base
        try PlainBlocks.check(base, method: "adaption prompts", file: configuration.file)
        let tokenCount = try configuration.count("adapter_len", limit: 1 << 16)
        let layerCount = try configuration.count("adapter_layers", limit: base.slots.layerCount)
        if let target = try configuration.text("target_modules"), target != "self_attn" {
            throw configuration.invalid(
                "target_modules", .string(target), expected: "\"self_attn\"")
        }
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: [], strict: context.options.strict)
        try checkHeads(base, configuration)
        var tensors = NamedTensors(file)
        var operators = AdapterOperators()
        var parameterCount = 0
        for layer in base.slots.layerCount - layerCount..<base.slots.layerCount {
            let module = "\(TunerTensors.prefix)model.layers.\(layer).self_attn."
            let prompt = try tensors.take(
                module + "adaption_prompt", shape: [1, tokenCount, base.slots.hiddenSize],
                reason: "'adapter_len' is \(tokenCount)")
            let gate = try tensors.take(
                module + "adaption_gate", shape: [1], reason: "a layer has one gate")
            parameterCount += prompt.count + 1
            let slots = base.slots.layers[layer]
            guard let (_, key, value) = slots.separate else {
                throw .unsupportedTarget(
                    module: "self_attn", setting: "target_modules",
                    reason:
                        "PEFT has no adaption prompts for a base whose queries, keys and values "
                        + "come from one module", file: configuration.file)
            }
            operators.gatedPrefixes[layer] = GatedPrefix(
                keys: project(prompt, tokenCount, key, context),
                values: project(prompt, tokenCount, value, context),
                gate: gate[0], tokenCount: tokenCount, shape: base.attentionShape)
            if let bias = base.bias(at: slots.output) {
                operators.linear[slots.output] = [.bias(bias)]
            }
        }
        try tensors.checkNothingIsLeft()
        return CompiledAdapter(
            operators: operators, parameterCount: parameterCount, warnings: warnings,
            targets: TargetSummary.text(operators, slots: base.slots))
    }

    /// PEFT takes the number of heads from the widths of projections, which is right only where
    /// all heads together are as wide as the hidden states.
    private static func checkHeads(
        _ base: BaseModel, _ configuration: AdapterConfiguration
    ) throws(AdapterError) {
        let shape = base.attentionShape
        guard shape.queryHeadCount * shape.headDimension == base.slots.hiddenSize else {
            throw .unsupportedTarget(
                module: "self_attn", setting: "target_modules",
                reason: "PEFT has no adaption prompts for a base whose heads together aren't as "
                    + "wide as its hidden states", file: configuration.file)
        }
    }

    /// W p + b for all tokens of a prompt. **Shape**: [tokens, outputs].
    private static func project(
        _ prompt: [Float], _ tokenCount: Int, _ slot: LinearSlot, _ context: Methods.Context
    ) -> [Float] {
        let matrix = TunerCompiler.floats(of: context.base.matrix(at: slot), pool: context.pool)
        let width = context.base.slots.hiddenSize
        let count = matrix.count / width
        let bias = context.base.bias(at: slot)
        return (0..<tokenCount).flatMap { token in
            (0..<count).map { output in
                var sum = Double(bias?[output] ?? 0)
                for k in 0..<width {
                    sum += Double(prompt[token * width + k]) * Double(matrix[output * width + k])
                }
                return Float(sum)
            }
        }
    }
}
