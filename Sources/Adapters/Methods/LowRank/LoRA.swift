internal import Kernels
internal import StrictJSON
internal import Transformer

/// LoRA as PEFT saves it: low-rank factors, trained biases and whole modules saved along.
///
///     base_model.model.<module>.lora_A.weight      [rank, inputs]
///     base_model.model.<module>.lora_B.weight      [outputs, rank]
///     base_model.model.<module>.lora_B.bias        [outputs]             lora_bias
///     base_model.model.<module>.lora_embedding_A   [rank, vocabulary]
///     base_model.model.<module>.lora_embedding_B   [hidden, rank]
///     base_model.model.<module>.lora_magnitude_vector  [outputs]         use_dora
///     base_model.model.<module>.weight, .bias      as in the base        modules_to_save, bias
///
/// **Source**: LoRA, arXiv 2106.09685; PEFT 0.21.
enum LoRA {
    static let peftType = "LORA"
    private static let parts: [TensorPart] =
        [
            .factorA, .factorB, .biasOfB, .embeddingA, .embeddingB, .magnitude, .diagonal,
            TrainedTokens.rowsWithinLoRA,
        ] + trainingOnly

    /// What VeLoRA and MonteCLoRA keep for training to go on.
    private static let trainingOnly = [
        ".lora_velora_embed", ".lora_monteclora_sampler.expert_weights",
        ".lora_monteclora_sampler.expert_weights_prior",
        ".lora_monteclora_sampler.gaussian_var_prior", ".lora_monteclora_sampler.std_prior",
    ].map { TensorPart($0) }

    /// Of a targeted slot.
    static func dropTrainingState(at slot: Slot, _ compiler: inout TunerCompiler) {
        for part in trainingOnly { _ = compiler.tensors.take(part, at: slot) }
    }

    static func read(
        _ file: AdapterFile, in outer: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let settings = try LoRASettings(
            &configuration,
            standardTargets: StandardTargets.modules(
                of: file.peftType, modelType: outer.base.configuration.modelType))
        let repeatedBase = try LayerReplication.base(&configuration, of: outer.base)
        var context = outer
        context.base = repeatedBase ?? outer.base
        let slots = context.base.slots
        let vocabularyCount = try ResizedTables.tokenCount(in: file, slots: slots)
        let trained = try TrainedTokens.byModule(
            &configuration, limit: vocabularyCount ?? slots.vocabularyCount, slots)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: LoRASettings.trainingOnly, strict: context.options.strict)
        let tensors = try TunerTensors(
            file, slots: slots, method: "LoRA", parts: parts)
        var compiler = TunerCompiler(
            settings: settings.tuner, tensors: tensors, context: context,
            vocabularyCount: vocabularyCount, configurationFile: configuration.file)
        compiler.servesResizedTables = settings.isPlain
        // What stands in place of the base's would act in every copy.
        compiler.strays.areServed = repeatedBase == nil
        compiler.strays.targetsAreServed = settings.isBesideBase
        compiler.strays.targetedTablesAreServed = true
        try TrainedTokens.add(trained, &compiler)
        let layers = LoRALayers(settings: settings)
        try compiler.compile(supports: { layers.refusal($0, slots) }) {
            (compiler, slot) throws(AdapterError) in try layers.add(slot, to: &compiler)
        }
        // Beside an activation the others act from the first token on.
        if settings.invocation != nil { compiler.operators.earlier = compiler.besideOwn }
        compiler.operators.activation = try settings.activation(
            of: compiler.operators, vocabularyCount: compiler.vocabularyCount,
            file: configuration.file)
        compiler.operators.repeatedBase = repeatedBase
        return compiler.result(warnings: warnings)
    }

    /// True when no tensor but the factors of linear layers is there: all that is to be said about
    /// those, but for their values being finite, their header says.
    static func holdsFactorsOnly(_ file: AdapterFile) -> Bool {
        file.configuration.object["use_bdlora"]?.isUnset ?? true
            && file.tensors.allSatisfy {
                $0.name.hasSuffix(TensorPart.factorA.suffix)
                    || $0.name.hasSuffix(TensorPart.factorB.suffix)
            }
    }
}

extension TensorPart {
    static let factorA = TensorPart(".lora_A.weight")
    static let factorB = TensorPart(".lora_B.weight")
    static let biasOfB = TensorPart(".lora_B.bias") {
        "the configuration doesn't set 'lora_bias', or doesn't target '\($0)'"
    }
    static let diagonal = TensorPart(".lora_diag") {
        "the configuration doesn't set 'kasa_config', or doesn't target '\($0)'"
    }
    static let embeddingA = TensorPart(".lora_embedding_A")
    static let embeddingB = TensorPart(".lora_embedding_B")
}
