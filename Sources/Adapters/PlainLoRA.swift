internal import Checkpoints
internal import StrictJSON

/// A LoRA of nothing but low-rank factors, taken apart: factors and scaling of each module, without
/// a base to attach them to.
struct PlainLoRA {
    /// The update of one module: scaling · B A.
    struct Factors {
        /// **Shape** [rank, inputCount]; of an embedding, inputs are tokens.
        let a: [Float]
        /// **Shape** [outputCount, rank].
        let b: [Float]
        let rank: Int
        let inputCount: Int
        let outputCount: Int
        let scaling: Double
        let isEmbedding: Bool
    }

    /// What it is taken apart for.
    enum Purpose {
        /// Its name among the others.
        case combining(String)
        /// Where it lies.
        case converting(String)
        /// Where the configuration of the expert lies.
        case mixing(String)

        func refusal(_ reason: String) -> AdapterError {
            switch self {
            case .combining(let name): .uncombinable(adapter: name, reason: reason)
            case .converting(let path): .unconvertible(path: path, reason: reason)
            case .mixing(let file):
                .configuration(file: file, reason: "it can't be an expert of a mixture: \(reason)")
            }
        }
    }

    let configuration: JSONObject
    /// By module name.
    let factors: [String: Factors]
    /// Copies of the base's own tables, which PEFT saves along; by tensor name.
    let tables: [String: AdapterTensor]
    /// The largest rank that its configuration names.
    let largestRank: Int
    /// Settings that nobody knows; each is one sentence.
    let warnings: [String]

    /// - Throws: `AdapterError`: values that aren't finite, factors that don't fit the
    ///   configuration, and everything about an adapter but low-rank factors.
    init(_ file: AdapterFile, for purpose: Purpose) throws(AdapterError) {
        let (settings, account) = try Self.settings(of: file, for: purpose)
        configuration = file.configuration.object
        let sorted = try Self.sort(file)
        var factors: [String: Factors] = [:]
        for (module, pair) in sorted.pairs {
            try Self.checkIsTarget(module, pair, settings, file: file.tensorFile)
            factors[module] = try Self.factors(
                pair, module: module, settings, file: file.tensorFile)
        }
        guard !factors.isEmpty else { throw purpose.refusal("it has no low-rank factors") }
        self.factors = factors
        tables = sorted.tables
        largestRank = settings.largestRank
        warnings = try UnknownSettings.check(
            account, trainingOnly: LoRASettings.trainingOnly, strict: false)
    }

    /// The settings of a LoRA that is served, and is nothing but low-rank factors.
    ///
    /// - Returns: with them the configuration, which knows what was read.
    /// - Throws: `AdapterError` as serving it would, and the purpose's refusal of what else it
    ///   does.
    static func settings(
        of file: AdapterFile, for purpose: Purpose
    ) throws(AdapterError) -> (LoRASettings, AdapterConfiguration) {
        guard file.peftType == LoRA.peftType else {
            throw purpose.refusal("its method is \(file.peftType), only LoRA has factors")
        }
        var configuration = file.configuration
        try refuseUnsupported(&configuration, purpose)
        let settings = try LoRASettings(
            &configuration, standardTargets: StandardTargets.ofProducts)
        guard settings.residualBase == nil else {
            let name = "init_lora_weights"
            throw purpose.refusal(
                "'\(name)' is \(configuration.value(name)?.excerpt ?? ""): its training began by "
                    + "changing the base's weights; convert it to plain LoRA with PEFT's "
                    + "save_pretrained(path_initial_model_for_weight_conversion=…)")
        }
        return (settings, configuration)
    }

    /// What a low-rank product alone doesn't say; PEFT's combinations would drop it in silence.
    private static let unsupported: [(name: String, reason: String)] = [
        ("modules_to_save", "whole modules are no low-rank factors"),
        ("lora_bias", "a bias of B is no low-rank factor"),
        ("use_dora", "a magnitude of DoRA is no low-rank factor"),
        ("target_parameters", "bare parameters have no module"),
        ("trainable_token_indices", "trained tokens are no low-rank factors"),
        ("alora_invocation_tokens", "an activated LoRA changes a part of the tokens only"),
        ("layer_replication", "its layers are not those of the base"),
        ("use_bdlora", "its factors are blocks"),
        ("kasa_config", "its loading changes the base's weights"),
        ("velora_config", "its factors aren't all of it"),
        ("monteclora_config", "its factors aren't all of it"),
    ]

    private static func refuseUnsupported(
        _ configuration: inout AdapterConfiguration, _ purpose: Purpose
    ) throws(AdapterError) {
        for (setting, reason) in unsupported {
            guard let value = configuration.value(setting), !value.isUnset else { continue }
            throw purpose.refusal("'\(setting)' is \(value.excerpt): \(reason)")
        }
        guard let bias = try configuration.text("bias"), bias != "none" else { return }
        throw purpose.refusal("'bias' is \"\(bias)\": trained biases are no low-rank factors")
    }
}

// Tensors by module.
extension PlainLoRA {
    private struct Pair {
        var a: AdapterTensor?
        var b: AdapterTensor?
        var isEmbedding = false
    }

    private static func sort(
        _ file: AdapterFile
    ) throws(AdapterError) -> (pairs: [String: Pair], tables: [String: AdapterTensor]) {
        var pairs: [String: Pair] = [:]
        var tables: [String: AdapterTensor] = [:]
        for tensor in file.tensors {
            guard tensor.name.hasPrefix(PEFTAdapter.prefix) else {
                throw .unknownTensor(
                    tensor.name, reason: "PEFT's names begin with '\(PEFTAdapter.prefix)'",
                    file: file.tensorFile)
            }
            guard let (module, part) = place(of: tensor) else {
                throw .unknownTensor(
                    tensor.name,
                    reason: "it is no low-rank factor, and nothing else is expected here",
                    file: file.tensorFile)
            }
            switch part {
            case .factorA, .embeddingA: pairs[module, default: Pair()].a = tensor
            case .factorB, .embeddingB: pairs[module, default: Pair()].b = tensor
            default: tables[tensor.name] = tensor
            }
            if part == .embeddingA { pairs[module]?.isEmbedding = true }
        }
        return (pairs, tables)
    }

    /// Factors, and copies of the base's own tables, saved along with a targeted embedding or head.
    private static let parts: [TensorPart] = [
        .factorA, .factorB, .embeddingA, .embeddingB, .baseWeight,
    ]

    private static func place(
        of tensor: AdapterTensor
    ) -> (module: String, part: TensorPart)? {
        let name = tensor.name.dropFirst(PEFTAdapter.prefix.count)
        for part in parts {
            for suffix in [part.suffix] + part.spellings where name.hasSuffix(suffix) {
                return (String(name.dropLast(suffix.count)), part)
            }
        }
        // An untargeted table is saved along where PEFT takes the vocabulary for resized.
        for table in ["embed_tokens.weight", "lm_head.weight"] where name.hasSuffix(table) {
            return (String(name.dropLast(TensorPart.weight.suffix.count)), .baseWeight)
        }
        return nil
    }

    /// Factors that the configuration doesn't target are left over where the adapter is served.
    private static func checkIsTarget(
        _ module: String, _ pair: Pair, _ settings: LoRASettings, file: String
    ) throws(AdapterError) {
        let isLinearBelowHead = !pair.isEmbedding && !["lm_head", "embed_out"].contains(module)
        guard
            try !settings.tuner.targets.contains(module, isLinearBelowHead: isLinearBelowHead),
            let tensor = pair.a ?? pair.b
        else { return }
        throw .unknownTensor(
            tensor.name, reason: TensorPart.factorA.leftover(module), file: file)
    }

    private static func factors(
        _ pair: Pair, module: String, _ settings: LoRASettings, file: String
    ) throws(AdapterError) -> Factors {
        let name = PEFTAdapter.prefix + module
        guard let a = pair.a else {
            throw .missingTensor(
                name + TensorPart.factorA.suffix, reason: "'\(pair.b?.name ?? "")' has no partner",
                file: file)
        }
        guard let b = pair.b else {
            throw .missingTensor(
                name + TensorPart.factorB.suffix, reason: "'\(a.name)' has no partner", file: file)
        }
        let rank = try settings.rank(of: module)
        let reason = "'r' and 'rank_pattern' give '\(module)' rank \(rank)"
        guard a.shape.count == 2, a.shape[0] == rank else {
            throw .wrongShape(
                tensor: a.name, expected: [rank, a.shape.last ?? 0], found: a.shape,
                reason: reason, file: file)
        }
        guard b.shape.count == 2, b.shape[1] == rank else {
            throw .wrongShape(
                tensor: b.name, expected: [b.shape.first ?? 0, rank], found: b.shape,
                reason: reason, file: file)
        }
        return Factors(
            a: try a.floats(file: file), b: try b.floats(file: file), rank: rank,
            inputCount: a.shape[1], outputCount: b.shape[0],
            scaling: try settings.exactScaling(of: module), isEmbedding: pair.isEmbedding)
    }
}
